#include "format/gguf_writer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

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

Error io_error(std::string_view what, const std::filesystem::path& path) {
  return fail(Errc::io, what, ' ', path.string(), ": ", std::strerror(errno));
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
  GgufWriter writer;
  writer.path_ = path;
  std::string pattern = path.string() + ".partial-XXXXXX";
  writer.descriptor_ = ::mkostemp(pattern.data(), O_CLOEXEC);
  if (writer.descriptor_ < 0) return io_error("cannot create a file beside", path);
  writer.temporary_ = pattern;
  // mkostemp makes the file private; a model is as readable as any other new file.
  const mode_t mask = ::umask(0);
  ::umask(mask);
  if (::fchmod(writer.descriptor_, static_cast<mode_t>(0666) & ~mask) != 0) {
    return io_error("cannot set the mode of", writer.temporary_);
  }
  writer.header_ = std::move(header);
  const std::vector<std::byte> head = writer.header_.encode();
  writer.data_offset_ = head.size();
  const std::uint64_t bytes = head.size() + writer.header_.data_bytes();
  if (bytes > INT64_MAX || ::ftruncate(writer.descriptor_, static_cast<off_t>(bytes)) != 0) {
    return io_error("cannot extend", writer.temporary_);
  }
  DS4_CHECK(writer.write_at(0, head));
  return writer;
}

GgufWriter::GgufWriter(GgufWriter&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      descriptor_(std::exchange(other.descriptor_, -1)),
      header_(std::move(other.header_)),
      data_offset_(other.data_offset_),
      tensor_(other.tensor_),
      written_(other.written_) {}

GgufWriter::~GgufWriter() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

const GgufHeader::Tensor* GgufWriter::current() const noexcept {
  const auto tensors = header_.tensors();
  return tensor_ < tensors.size() ? &tensors[tensor_] : nullptr;
}

Result<void> GgufWriter::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done =
        ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return io_error("cannot write", temporary_);
    offset += static_cast<std::uint64_t>(done);
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
  return {};
}

Result<void> GgufWriter::write(std::span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  const GgufHeader::Tensor* tensor = current();
  if (tensor == nullptr) {
    return fail(Errc::invalid_argument, path_.string(), ": ", bytes.size(),
                " bytes beyond the last tensor");
  }
  if (bytes.size() > tensor->bytes - written_) {
    return fail(Errc::invalid_argument, path_.string(), ": tensor ", tensor->name, " needs ",
                tensor->bytes - written_, " more bytes, got ", bytes.size());
  }
  DS4_CHECK(write_at(data_offset_ + tensor->offset + written_, bytes));
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
    return fail(Errc::invalid_argument, path_.string(), ": only a whole tensor can be left out");
  }
  ++tensor_;
  return {};
}

Result<void> GgufWriter::finish() {
  if (const GgufHeader::Tensor* tensor = current(); tensor != nullptr) {
    return fail(Errc::invalid_argument, path_.string(), ": tensor ", tensor->name,
                " is not complete");
  }
  if (::fsync(descriptor_) != 0) return io_error("cannot sync", temporary_);
  const int closed = ::close(std::exchange(descriptor_, -1));
  if (closed != 0) return io_error("cannot close", temporary_);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return io_error("cannot rename to", path_);
  temporary_.clear();
  // The new name lives in the folder, which is synced too.
  const std::filesystem::path parent = path_.has_parent_path() ? path_.parent_path() : ".";
  const int folder = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
  return {};
}

}  // namespace ds4
