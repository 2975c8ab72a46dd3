#include "format/gguf_writer.hpp"

#include <cstring>

#include "base/assert.hpp"
#include "base/checked.hpp"
#include "format/gguf_layout.hpp"

namespace ds4 {
namespace {

// Not insert(): g++ 12 at -O3 takes the move of its tail for an overrun.
void append_bytes(std::vector<std::byte>& out, const void* bytes, std::size_t size) {
  if (size == 0) return;
  const std::size_t begin = out.size();
  out.resize(begin + size);
  std::memcpy(out.data() + begin, bytes, size);
}

template <class T>
void append(std::vector<std::byte>& out, T value) {
  append_bytes(out, &value, sizeof value);
}

void append_string(std::vector<std::byte>& out, std::string_view text) {
  append(out, static_cast<std::uint64_t>(text.size()));
  append_bytes(out, text.data(), text.size());
}

}  // namespace

GgufHeader::GgufHeader(std::uint32_t alignment) : alignment_(alignment) {
  DS4_ASSERT(is_gguf_alignment(alignment));
  add_u32(kAlignmentKey, alignment);
}

void GgufHeader::begin(std::string_view key, GgufType type) {
  append_string(metadata_, key);
  append(metadata_, static_cast<std::uint32_t>(type));
  ++entries_;
}

void GgufHeader::begin_array(std::string_view key, GgufType element, std::uint64_t count) {
  begin(key, GgufType::array);
  append(metadata_, static_cast<std::uint32_t>(element));
  append(metadata_, count);
}

void GgufHeader::add_u32(std::string_view key, std::uint32_t value) {
  begin(key, GgufType::u32);
  append(metadata_, value);
}

void GgufHeader::add_u64(std::string_view key, std::uint64_t value) {
  begin(key, GgufType::u64);
  append(metadata_, value);
}

void GgufHeader::add_f32(std::string_view key, float value) {
  begin(key, GgufType::f32);
  append(metadata_, value);
}

void GgufHeader::add_bool(std::string_view key, bool value) {
  begin(key, GgufType::boolean);
  append(metadata_, static_cast<std::uint8_t>(value ? 1 : 0));
}

void GgufHeader::add_string(std::string_view key, std::string_view value) {
  begin(key, GgufType::string);
  append_string(metadata_, value);
}

void GgufHeader::add_u32_array(std::string_view key, std::span<const std::uint32_t> values) {
  begin_array(key, GgufType::u32, values.size());
  for (const std::uint32_t value : values) append(metadata_, value);
}

void GgufHeader::add_i32_array(std::string_view key, std::span<const std::int32_t> values) {
  begin_array(key, GgufType::i32, values.size());
  for (const std::int32_t value : values) append(metadata_, value);
}

void GgufHeader::add_f32_array(std::string_view key, std::span<const float> values) {
  begin_array(key, GgufType::f32, values.size());
  for (const float value : values) append(metadata_, value);
}

void GgufHeader::add_string_array(std::string_view key, std::span<const std::string> values) {
  begin_array(key, GgufType::string, values.size());
  for (const std::string& value : values) append_string(metadata_, value);
}

void GgufHeader::add_copy(const GgufEntry& entry) {
  if (entry.key == kAlignmentKey) return;
  if (entry.type == GgufType::array) {
    begin_array(entry.key, entry.element, entry.count);
  } else {
    begin(entry.key, entry.type);
    if (entry.type == GgufType::string) {
      append(metadata_, static_cast<std::uint64_t>(entry.value.size()));
    }
  }
  metadata_.insert(metadata_.end(), entry.value.begin(), entry.value.end());
}

Result<void> GgufHeader::add_tensor(std::string_view name, std::span<const std::uint64_t> dims,
                                    Dtype dtype) {
  if (dims.empty() || dims.size() > 4) {
    return fail(Errc::invalid_argument, "tensor ", name, " has ", dims.size(),
                " dimensions, 1 to 4 can be written");
  }
  auto bytes = row_bytes(dtype, dims[0]);
  if (!bytes) return bytes.error().in("tensor ", name);
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0) return fail(Errc::invalid_argument, "tensor ", name, " has a dimension of 0");
    const auto product = checked_mul(*bytes, i == 0 ? 1 : dims[i]);
    if (!product) return fail(Errc::invalid_argument, "tensor ", name, " is too large");
    *bytes = *product;
  }
  const auto end = checked_add(data_bytes_, *bytes);
  if (!end || *end > UINT64_MAX - alignment_) {
    return fail(Errc::invalid_argument, "the file would be too large with tensor ", name);
  }
  tensors_.push_back({std::string(name), {dims.begin(), dims.end()}, dtype, *bytes, data_bytes_});
  data_bytes_ = round_up(*end, alignment_);
  return {};
}

std::vector<std::byte> GgufHeader::encode() const {
  std::vector<std::byte> out;
  append(out, kGgufMagic);
  append(out, kGgufVersion);
  append(out, static_cast<std::uint64_t>(tensors_.size()));
  append(out, entries_);
  out.insert(out.end(), metadata_.begin(), metadata_.end());
  for (const Tensor& tensor : tensors_) {
    append_string(out, tensor.name);
    append(out, static_cast<std::uint32_t>(tensor.dims.size()));
    for (const std::uint64_t dim : tensor.dims) append(out, dim);
    append(out, static_cast<std::uint32_t>(tensor.dtype));
    append(out, tensor.offset);
  }
  out.resize(round_up(out.size(), alignment_));
  return out;
}

Result<GgufWriter> GgufWriter::create(const std::filesystem::path& path, GgufHeader header) {
  // A model is as readable as any other new file.
  DS4_TRY(NewFile file, NewFile::create(path, NewFile::Access::usual));
  const std::vector<std::byte> head = header.encode();
  const std::uint64_t data_offset = head.size();
  const auto bytes = checked_add(data_offset, header.data_bytes());
  DS4_CHECK(file.resize(bytes.value_or(UINT64_MAX)));
  DS4_CHECK(file.write_at(0, head));
  return GgufWriter(std::move(file), std::move(header), data_offset);
}

const GgufHeader::Tensor* GgufWriter::current() const noexcept {
  const auto tensors = header_.tensors();
  return tensor_ < tensors.size() ? &tensors[tensor_] : nullptr;
}

Result<void> GgufWriter::write(std::span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  const GgufHeader::Tensor* tensor = current();
  if (tensor == nullptr) {
    return fail(Errc::invalid_argument, file_.path().string(), ": ", bytes.size(),
                " bytes beyond the last tensor");
  }
  if (bytes.size() > tensor->bytes - written_) {
    return fail(Errc::invalid_argument, file_.path().string(), ": tensor ", tensor->name, " needs ",
                tensor->bytes - written_, " more bytes, got ", bytes.size());
  }
  DS4_CHECK(file_.write_at(data_offset_ + tensor->offset + written_, bytes));
  written_ += bytes.size();
  if (written_ == tensor->bytes) {
    ++tensor_;
    written_ = 0;
  }
  return {};
}

Result<void> GgufWriter::skip() {
  const GgufHeader::Tensor* tensor = current();
  if (tensor == nullptr || written_ != 0) {
    return fail(Errc::invalid_argument, file_.path().string(),
                ": only a whole tensor can be left out");
  }
  ++tensor_;
  return {};
}

Result<void> GgufWriter::finish() {
  if (const GgufHeader::Tensor* tensor = current(); tensor != nullptr) {
    return fail(Errc::invalid_argument, file_.path().string(), ": tensor ", tensor->name,
                " is not complete");
  }
  return file_.finish();
}

}  // namespace ds4
