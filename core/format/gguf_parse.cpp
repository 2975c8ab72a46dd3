// Reading the head of a GGUF file: everything here assumes that the bytes are hostile.
#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "base/checked.hpp"
#include "format/gguf_layout.hpp"
#include "format/gguf_reader.hpp"
#include "format/shown.hpp"

namespace ds4 {
namespace {

constexpr std::uint64_t kMaxEntries = 1'000'000;
constexpr std::uint64_t kMaxKeyBytes = 65535;
constexpr std::uint64_t kMaxTensorNameBytes = 1023;
constexpr unsigned kMaxArrayDepth = 8;
// The smallest encodings: a key of length 0 with one byte of value, a name of length 0 with one
// dim.
constexpr std::uint64_t kMinEntryBytes = 13;
constexpr std::uint64_t kMinTensorBytes = 32;
constexpr std::uint64_t kMinNestedArrayBytes = 12;
constexpr std::uint64_t kMinStringBytes = 8;

/// A position in the file that never moves past its end.
class Cursor {
 public:
  Cursor(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] std::uint64_t remaining() const { return bytes_.size() - position_; }

  template <class... Parts>
  [[nodiscard]] Error bad(std::uint64_t offset, const Parts&... parts) const {
    return fail(Errc::bad_file, name_, ": offset ", offset, ": ", parts...);
  }

  Result<std::span<const std::byte>> take(std::uint64_t count, std::string_view what) {
    if (count > remaining()) {
      return bad(position_, what, " needs ", count, " bytes, ", remaining(), " remain");
    }
    const auto out = bytes_.subspan(position_, count);
    position_ += count;
    return out;
  }

  template <class T>
  Result<T> number(std::string_view what) {
    DS4_TRY(const auto raw, take(sizeof(T), what));
    T value;
    std::memcpy(&value, raw.data(), sizeof value);
    return value;
  }

  Result<std::string_view> string(std::string_view what, std::uint64_t limit) {
    const std::uint64_t start = position_;
    DS4_TRY(const auto length, number<std::uint64_t>(what));
    if (length > limit) {
      return bad(start, what, " has length ", length, ", at most ", limit, " is accepted");
    }
    DS4_TRY(const auto raw, take(length, what));
    return std::string_view(reinterpret_cast<const char*>(raw.data()), raw.size());
  }

 private:
  std::span<const std::byte> bytes_;
  const std::string& name_;
  std::uint64_t position_ = 0;
};

Result<GgufType> read_type(Cursor& in, std::string_view key) {
  const std::uint64_t start = in.position();
  DS4_TRY(const auto raw, in.number<std::uint32_t>("value type"));
  if (raw > static_cast<std::uint32_t>(GgufType::f64)) {
    return in.bad(start, "key '", shown(key), "' has unknown value type ", raw);
  }
  return static_cast<GgufType>(raw);
}

Result<void> skip_elements(Cursor& in, std::string_view key, GgufType element, std::uint64_t count,
                           unsigned depth);

Result<void> skip_array(Cursor& in, std::string_view key, unsigned depth) {
  if (depth > kMaxArrayDepth) {
    return in.bad(in.position(), "key '", shown(key), "' nests arrays deeper than ",
                  kMaxArrayDepth);
  }
  DS4_TRY(const GgufType element, read_type(in, key));
  DS4_TRY(const auto count, in.number<std::uint64_t>("array length"));
  return skip_elements(in, key, element, count, depth);
}

Result<void> skip_elements(Cursor& in, std::string_view key, GgufType element, std::uint64_t count,
                           unsigned depth) {
  const std::uint64_t start = in.position();
  std::uint64_t least = gguf_scalar_bytes(element);
  if (element == GgufType::string) least = kMinStringBytes;
  if (element == GgufType::array) least = kMinNestedArrayBytes;
  if (count > in.remaining() / least) {
    return in.bad(start, "key '", shown(key), "' claims ", count, " elements of ",
                  gguf_type_name(element), ", ", in.remaining(), " bytes remain");
  }
  if (element == GgufType::string) {
    for (std::uint64_t i = 0; i < count; ++i) {
      DS4_CHECK(in.string("array string", std::numeric_limits<std::uint64_t>::max()));
    }
  } else if (element == GgufType::array) {
    for (std::uint64_t i = 0; i < count; ++i) DS4_CHECK(skip_array(in, key, depth + 1));
  } else {
    DS4_CHECK(in.take(count * least, "array"));
  }
  return {};
}

Result<std::string_view> read_name(Cursor& in, std::string_view what, std::uint64_t limit) {
  const std::uint64_t start = in.position();
  DS4_TRY(const auto name, in.string(what, limit));
  if (name.empty()) return in.bad(start, what, " is empty");
  if (name.find('\0') != std::string_view::npos) return in.bad(start, what, " contains a NUL byte");
  return name;
}

Result<GgufEntry> read_entry(Cursor& in, std::span<const std::byte> bytes) {
  GgufEntry entry;
  DS4_TRY(entry.key, read_name(in, "metadata key", kMaxKeyBytes));
  DS4_TRY(entry.type, read_type(in, entry.key));
  if (entry.type == GgufType::string) {
    DS4_TRY(const auto length, in.number<std::uint64_t>("string length"));
    entry.offset = in.position();
    DS4_TRY(entry.value, in.take(length, "value of key '" + shown(entry.key) + "'"));
  } else if (entry.type == GgufType::array) {
    DS4_TRY(entry.element, read_type(in, entry.key));
    DS4_TRY(entry.count, in.number<std::uint64_t>("array length"));
    entry.offset = in.position();
    DS4_CHECK(skip_elements(in, entry.key, entry.element, entry.count, 1));
    entry.value = bytes.subspan(entry.offset, in.position() - entry.offset);
  } else {
    entry.offset = in.position();
    DS4_TRY(entry.value, in.take(gguf_scalar_bytes(entry.type), "metadata value"));
  }
  return entry;
}

// Sizes follow from the dims; offsets stay relative until the data section is known.
Result<TensorInfo> read_tensor(Cursor& in) {
  TensorInfo tensor;
  const std::uint64_t start = in.position();
  DS4_TRY(tensor.name, read_name(in, "tensor name", kMaxTensorNameBytes));
  DS4_TRY(tensor.rank, in.number<std::uint32_t>("tensor rank"));
  if (tensor.rank < 1 || tensor.rank > 4) {
    return in.bad(start, "tensor ", shown(tensor.name), " has ", tensor.rank,
                  " dimensions, 1 to 4 are accepted");
  }
  std::uint64_t elements = 1;
  for (std::uint32_t i = 0; i < tensor.rank; ++i) {
    DS4_TRY(tensor.dims[i], in.number<std::uint64_t>("tensor dimension"));
    if (tensor.dims[i] == 0) {
      return in.bad(start, "tensor ", shown(tensor.name), " has dimension ", i, " of 0");
    }
    const auto product = checked_mul(elements, tensor.dims[i]);
    if (!product) return in.bad(start, "tensor ", shown(tensor.name), " has too many elements");
    elements = *product;
  }
  DS4_TRY(const auto type, in.number<std::uint32_t>("tensor type"));
  tensor.dtype = static_cast<Dtype>(type);
  DS4_TRY(tensor.offset, in.number<std::uint64_t>("tensor offset"));
  if (find_traits(tensor.dtype) == nullptr) return tensor;
  const auto row = row_bytes(tensor.dtype, tensor.dims[0]);
  if (!row) return in.bad(start, "tensor ", shown(tensor.name), ": ", row.error().what);
  const auto bytes = checked_mul(*row, tensor.rows());
  if (!bytes)
    return in.bad(start, "tensor ", shown(tensor.name), " is larger than 64 bits can say");
  tensor.bytes = *bytes;
  return tensor;
}

Result<void> read_magic(Cursor& in, std::uint32_t& version) {
  DS4_TRY(const auto magic, in.number<std::uint32_t>("magic"));
  if (magic == __builtin_bswap32(kGgufMagic)) {
    return in.bad(0, "the magic is byte-swapped; big-endian GGUF files are not supported");
  }
  if (magic != kGgufMagic) return in.bad(0, "not a GGUF file (magic ", magic, ")");
  DS4_TRY(version, in.number<std::uint32_t>("version"));
  if (version == 2 || version == 3) return {};
  const std::uint32_t swapped = __builtin_bswap32(version);
  if (swapped == 2 || swapped == 3) {
    return in.bad(4, "the version is byte-swapped; big-endian GGUF files are not supported");
  }
  return in.bad(4, "GGUF version ", version, " is not supported, versions 2 and 3 are");
}

Result<std::uint64_t> read_count(Cursor& in, std::string_view what, std::uint64_t least) {
  const std::uint64_t start = in.position();
  DS4_TRY(const auto count, in.number<std::uint64_t>(what));
  if (count > kMaxEntries) {
    return in.bad(start, what, " is ", count, ", at most ", kMaxEntries, " is accepted");
  }
  if (count > in.remaining() / least) {
    return in.bad(start, what, " is ", count, ", too many for the ", in.remaining(),
                  " bytes that remain");
  }
  return count;
}

Result<void> check_overlap(std::vector<const TensorInfo*> tensors, const Cursor& in) {
  std::sort(tensors.begin(), tensors.end(),
            [](const TensorInfo* a, const TensorInfo* b) { return a->offset < b->offset; });
  for (std::size_t i = 1; i < tensors.size(); ++i) {
    const TensorInfo& before = *tensors[i - 1];
    if (before.offset + before.bytes > tensors[i]->offset) {
      return in.bad(tensors[i]->offset, "tensor ", shown(tensors[i]->name), " overlaps tensor ",
                    shown(before.name));
    }
  }
  return {};
}

// Makes the offset absolute and checks that the tensor lies within the file.
Result<void> place_tensor(TensorInfo& tensor, std::uint64_t data_offset, std::uint64_t alignment,
                          std::uint64_t file_bytes, const Cursor& in) {
  if (tensor.offset % alignment != 0) {
    return in.bad(data_offset, "tensor ", shown(tensor.name), " has offset ", tensor.offset,
                  ", not a multiple of the alignment ", alignment);
  }
  const auto offset = checked_add(data_offset, tensor.offset);
  if (!offset || *offset > file_bytes || tensor.bytes > file_bytes - *offset) {
    return in.bad(data_offset, "tensor ", shown(tensor.name), " needs ", tensor.bytes,
                  " bytes at data offset ", tensor.offset, ", the file has ", file_bytes,
                  " bytes in all");
  }
  tensor.offset = *offset;
  return {};
}

}  // namespace

Result<void> GgufFile::read() {
  Cursor in(bytes_, name_);
  if (bytes_.size() < kGgufHeadBytes) {
    return in.bad(0, "the file has ", bytes_.size(), " bytes, a GGUF head has ", kGgufHeadBytes);
  }
  DS4_CHECK(read_magic(in, version_));
  DS4_TRY(const auto tensor_count, read_count(in, "tensor count", kMinTensorBytes));
  DS4_TRY(const auto entry_count, read_count(in, "metadata count", kMinEntryBytes));

  entries_.reserve(entry_count);
  entry_index_.reserve(entry_count);
  for (std::uint64_t i = 0; i < entry_count; ++i) {
    const std::uint64_t start = in.position();
    DS4_TRY(const GgufEntry entry, read_entry(in, bytes_));
    if (!entry_index_.emplace(entry.key, entries_.size()).second) {
      return in.bad(start, "metadata key '", shown(entry.key), "' appears twice");
    }
    entries_.push_back(entry);
  }
  if (const GgufEntry* entry = find(kAlignmentKey); entry != nullptr) {
    if (entry->type != GgufType::u32) {
      return in.bad(entry->offset, kAlignmentKey, " must be u32, found ",
                    gguf_type_name(entry->type));
    }
    std::uint32_t value;
    std::memcpy(&value, entry->value.data(), sizeof value);
    if (!is_gguf_alignment(value)) {
      return in.bad(entry->offset, kAlignmentKey, " is ", value,
                    ", a power of two from 8 to 65536 is accepted");
    }
    alignment_ = value;
  }

  tensors_.reserve(tensor_count);
  tensor_index_.reserve(tensor_count);
  for (std::uint64_t i = 0; i < tensor_count; ++i) {
    const std::uint64_t start = in.position();
    DS4_TRY(const TensorInfo tensor, read_tensor(in));
    if (!tensor_index_.emplace(tensor.name, tensors_.size()).second) {
      return in.bad(start, "tensor ", shown(tensor.name), " appears twice");
    }
    tensors_.push_back(tensor);
  }
  data_offset_ = round_up(in.position(), alignment_);
  if (!tensors_.empty() && data_offset_ > file_bytes_) {
    return in.bad(in.position(), "tensor data would begin at ", data_offset_, ", the file has ",
                  file_bytes_, " bytes");
  }
  std::vector<const TensorInfo*> placed;
  placed.reserve(tensors_.size());
  for (TensorInfo& tensor : tensors_) {
    if (find_traits(tensor.dtype) == nullptr) {
      // Of unknown size: it is refused by name when a model needs it, otherwise it is never read.
      tensor.offset = checked_add(data_offset_, tensor.offset).value_or(file_bytes_);
      continue;
    }
    DS4_CHECK(place_tensor(tensor, data_offset_, alignment_, file_bytes_, in));
    placed.push_back(&tensor);
  }
  return check_overlap(std::move(placed), in);
}

}  // namespace ds4
