#include "quantize/safetensors.hpp"

#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/checked.hpp"
#include "tokenizer/json_text.hpp"

namespace ds4::quantize {
namespace {

// The format's own limit for headers.
constexpr std::uint64_t kMaxHeader = 100'000'000;

struct TypeRow {
  std::string_view name;
  SourceType type;
  std::uint32_t bytes;
};
constexpr std::array kTypes = {
    TypeRow{"F32", SourceType::f32, 4},         TypeRow{"F16", SourceType::f16, 2},
    TypeRow{"BF16", SourceType::bf16, 2},       TypeRow{"I64", SourceType::i64, 8},
    TypeRow{"I32", SourceType::i32, 4},         TypeRow{"I8", SourceType::i8, 1},
    TypeRow{"U8", SourceType::i8, 1},           TypeRow{"F8_E4M3", SourceType::f8_e4m3, 1},
    TypeRow{"F8_E8M0", SourceType::f8_e8m0, 1},
};

std::optional<std::uint64_t> as_size(const JsonValue& value) {
  if (!value.is(JsonValue::Kind::number)) return std::nullopt;
  std::uint64_t out = 0;
  const char* end = value.text.data() + value.text.size();
  const auto [stop, code] = std::from_chars(value.text.data(), end, out);
  if (code != std::errc{} || stop != end) return std::nullopt;
  return out;
}

// The elements of an array of sizes; nothing when it is anything else.
std::optional<std::vector<std::uint64_t>> as_sizes(const JsonValue* value) {
  if (value == nullptr || !value->is(JsonValue::Kind::array)) return std::nullopt;
  std::vector<std::uint64_t> out;
  for (const JsonValue& item : value->items) {
    const auto size = as_size(item);
    if (!size) return std::nullopt;
    out.push_back(*size);
  }
  return out;
}

Result<SourceTensor> read_tensor(const std::string& name, const JsonValue& entry,
                                 std::span<const std::byte> data) {
  const JsonValue* dtype = entry.find("dtype");
  const auto shape = as_sizes(entry.find("shape"));
  const auto offsets = as_sizes(entry.find("data_offsets"));
  if (dtype == nullptr || !dtype->is(JsonValue::Kind::string) || !shape || !offsets ||
      offsets->size() != 2) {
    return fail(Errc::bad_file, "tensor '", name, "' needs dtype, shape and two data_offsets");
  }
  const TypeRow* row = nullptr;
  for (const TypeRow& candidate : kTypes) {
    if (candidate.name == dtype->text) row = &candidate;
  }
  if (row == nullptr) {
    return fail(Errc::unsupported, "tensor '", name, "' has type ", dtype->text,
                "; F32, F16, BF16, I64, I32, I8, U8, F8_E4M3 and F8_E8M0 can be read");
  }
  const std::uint64_t begin = (*offsets)[0];
  const std::uint64_t end = (*offsets)[1];
  if (begin > end || end > data.size()) {
    return fail(Errc::bad_file, "tensor '", name, "' lies at ", begin, "..", end,
                " but the file has ", data.size(), " bytes of data; is it a partial download?");
  }
  std::optional<std::uint64_t> bytes = row->bytes;
  for (const std::uint64_t extent : *shape) bytes = bytes ? checked_mul(*bytes, extent) : bytes;
  if (!bytes || *bytes != end - begin) {
    return fail(Errc::bad_file, "tensor '", name, "' has ", end - begin,
                " bytes, which its shape and type do not give");
  }
  return SourceTensor{name, row->type, *shape, data.subspan(begin, end - begin)};
}

}  // namespace

std::string_view source_type_name(SourceType type) noexcept {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return row.name;
  }
  return "unknown";
}

Result<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
  DS4_TRY(MappedFile mapping, MappedFile::open(path));
  SafetensorsFile file(std::move(mapping));
  if (auto done = file.read(); !done) return done.error().in(path.string());
  return file;
}

Result<void> SafetensorsFile::read() {
  const std::span<const std::byte> bytes = mapping_.bytes();
  std::uint64_t length = 0;
  if (bytes.size() < sizeof(length)) return fail(Errc::bad_file, "is too short for safetensors");
  std::memcpy(&length, bytes.data(), sizeof(length));
  const std::uint64_t rest = bytes.size() - sizeof(length);
  if (length > rest || length > kMaxHeader) {
    return fail(Errc::bad_file, "header of ", length, " bytes in a file of ", bytes.size(),
                "; this is no safetensors file or it is cut");
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof(length), length);
  auto header = parse_json(text);
  if (!header) return Error{Errc::bad_file, header.error().what}.in("header");
  if (!header->is(JsonValue::Kind::object)) {
    return fail(Errc::bad_file, "header is not a JSON object");
  }
  const std::span<const std::byte> data = bytes.subspan(sizeof(length) + length);
  for (std::size_t i = 0; i < header->items.size(); ++i) {
    if (header->keys[i] == "__metadata__") continue;
    DS4_TRY(SourceTensor tensor, read_tensor(header->keys[i], header->items[i], data));
    tensors_.push_back(std::move(tensor));
  }
  return {};
}

}  // namespace ds4::quantize
