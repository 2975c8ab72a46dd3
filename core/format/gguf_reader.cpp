#include "format/gguf_reader.hpp"

#include <openssl/sha.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/assert.hpp"
#include "format/gguf_layout.hpp"

namespace ds4 {
namespace {

constexpr std::array<std::string_view, 13> kTypeNames = {
    "u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"};

/// A stored number before it is asked to be of some type.
struct Number {
  enum class Kind { none, integer, real } kind = Kind::none;
  bool is_negative = false;
  std::uint64_t magnitude = 0;
  double real = 0;
};

// Several times the largest vocabulary; a converted copy of more would only exhaust the memory.
constexpr std::uint64_t kMaxArrayElements = std::uint64_t{1} << 26U;
// Far more than any vocabulary takes; a head beyond this stays mapped.
constexpr std::uint64_t kMostKeptHead = std::uint64_t{256} << 20U;

template <class T>
T load(const std::byte* p) noexcept {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

Number from_unsigned(std::uint64_t value) noexcept {
  return {Number::Kind::integer, false, value, static_cast<double>(value)};
}

Number from_signed(std::int64_t value) noexcept {
  const auto bits = static_cast<std::uint64_t>(value);
  return {Number::Kind::integer, value < 0, value < 0 ? 0 - bits : bits,
          static_cast<double>(value)};
}

Number from_real(double value) noexcept {
  return {Number::Kind::real, value < 0, 0, value};
}

Number load_number(GgufType type, const std::byte* p) noexcept {
  switch (type) {
    case GgufType::u8:
      return from_unsigned(load<std::uint8_t>(p));
    case GgufType::u16:
      return from_unsigned(load<std::uint16_t>(p));
    case GgufType::u32:
      return from_unsigned(load<std::uint32_t>(p));
    case GgufType::u64:
      return from_unsigned(load<std::uint64_t>(p));
    case GgufType::i8:
      return from_signed(load<std::int8_t>(p));
    case GgufType::i16:
      return from_signed(load<std::int16_t>(p));
    case GgufType::i32:
      return from_signed(load<std::int32_t>(p));
    case GgufType::i64:
      return from_signed(load<std::int64_t>(p));
    case GgufType::f32:
      return from_real(static_cast<double>(load<float>(p)));
    case GgufType::f64:
      return from_real(load<double>(p));
    case GgufType::boolean:
    case GgufType::string:
    case GgufType::array:
      return {};
  }
  return {};
}

std::string describe(const Number& number, GgufType type) {
  std::ostringstream out;
  out << gguf_type_name(type);
  if (number.kind == Number::Kind::integer) {
    out << ' ' << (number.is_negative ? "-" : "") << number.magnitude;
  } else if (number.kind == Number::Kind::real) {
    out << ' ' << number.real;
  }
  return out.str();
}

Result<void> convert(const Number& number, std::uint64_t& out) {
  if (number.kind != Number::Kind::integer || number.is_negative) {
    return fail(Errc::bad_file, "an unsigned integer");
  }
  out = number.magnitude;
  return {};
}

Result<void> convert(const Number& number, std::uint32_t& out) {
  if (number.kind != Number::Kind::integer || number.is_negative ||
      number.magnitude > std::numeric_limits<std::uint32_t>::max()) {
    return fail(Errc::bad_file, "an unsigned integer up to 4294967295");
  }
  out = static_cast<std::uint32_t>(number.magnitude);
  return {};
}

Result<void> convert(const Number& number, std::int32_t& out) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::int32_t>::max();
  if (number.kind != Number::Kind::integer ||
      number.magnitude > kMax + (number.is_negative ? 1 : 0)) {
    return fail(Errc::bad_file, "an integer of 32 bits");
  }
  const auto magnitude = static_cast<std::int64_t>(number.magnitude);
  out = static_cast<std::int32_t>(number.is_negative ? -magnitude : magnitude);
  return {};
}

Result<void> convert(const Number& number, float& out) {
  if (number.kind == Number::Kind::none || !std::isfinite(number.real) ||
      std::fabs(number.real) > static_cast<double>(std::numeric_limits<float>::max())) {
    return fail(Errc::bad_file, "a finite number");
  }
  out = static_cast<float>(number.real);
  return {};
}

Error wrong(const std::string& file, const GgufEntry& entry, std::string_view wanted,
            std::string_view found, std::uint64_t offset) {
  return fail(Errc::bad_file, file, ": offset ", offset, ": key '", entry.key, "': expected ",
              wanted, ", found ", found);
}

template <class T>
Result<T> scalar(const std::string& file, const GgufEntry& entry) {
  T value{};
  const Number number = load_number(entry.type, entry.value.data());
  if (const auto done = convert(number, value); !done) {
    return wrong(file, entry, done.error().what, describe(number, entry.type), entry.offset);
  }
  return value;
}

Result<void> check_elements(const std::string& file, const GgufEntry& entry) {
  if (entry.count <= kMaxArrayElements) return {};
  return wrong(file, entry, "at most " + std::to_string(kMaxArrayElements) + " elements",
               std::to_string(entry.count), entry.offset);
}

template <class T>
Result<std::vector<T>> array(const std::string& file, const GgufEntry& entry) {
  if (entry.type != GgufType::array) {
    return wrong(file, entry, "an array of numbers", gguf_type_name(entry.type), entry.offset);
  }
  const std::uint64_t width = gguf_scalar_bytes(entry.element);
  if (width == 0 || entry.element == GgufType::boolean) {
    return wrong(file, entry, "an array of numbers",
                 "an array of " + std::string(gguf_type_name(entry.element)), entry.offset);
  }
  DS4_CHECK(check_elements(file, entry));
  std::vector<T> out(entry.count);
  for (std::uint64_t i = 0; i < entry.count; ++i) {
    const Number number = load_number(entry.element, entry.value.data() + i * width);
    if (const auto done = convert(number, out[i]); !done) {
      return wrong(file, entry, done.error().what + " in each element",
                   describe(number, entry.element) + " at index " + std::to_string(i),
                   entry.offset + i * width);
    }
  }
  return out;
}

}  // namespace

std::string_view gguf_type_name(GgufType type) noexcept {
  const auto index = static_cast<std::size_t>(type);
  return index < kTypeNames.size() ? kTypeNames[index] : "unknown";
}

Result<GgufFile> GgufFile::open(const std::filesystem::path& path) {
  DS4_TRY(MappedFile mapping, MappedFile::open(path));
  GgufFile file;
  file.name_ = path.string();
  file.bytes_ = mapping.bytes();
  file.file_bytes_ = file.bytes_.size();
  file.mapping_.emplace(std::move(mapping));
  DS4_CHECK(file.read());
  // Names and metadata are used for as long as the program runs, whatever becomes of the file.
  if (file.data_offset_ <= kMostKeptHead) DS4_CHECK(file.mapping_->keep_head(file.data_offset_));
  return file;
}

Result<GgufFile> GgufFile::parse(std::span<const std::byte> bytes, std::string name) {
  return parse_head(bytes, bytes.size(), std::move(name));
}

Result<GgufFile> GgufFile::parse_head(std::span<const std::byte> head, std::uint64_t file_bytes,
                                      std::string name) {
  GgufFile file;
  file.name_ = std::move(name);
  file.bytes_ = head;
  file.file_bytes_ = file_bytes;
  DS4_CHECK(file.read());
  return file;
}

const GgufEntry* GgufFile::find(std::string_view key) const noexcept {
  const auto found = entry_index_.find(key);
  return found == entry_index_.end() ? nullptr : &entries_[found->second];
}

const TensorInfo* GgufFile::find_tensor(std::string_view name) const noexcept {
  const auto found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

std::span<const std::byte> GgufFile::bytes(const TensorInfo& tensor) const noexcept {
  if (tensor.bytes == 0 || tensor.offset + tensor.bytes > bytes_.size()) return {};
  return bytes_.subspan(tensor.offset, tensor.bytes);
}

Result<const GgufEntry*> GgufFile::need(std::string_view key) const {
  const GgufEntry* entry = find(key);
  if (entry == nullptr) {
    return fail(Errc::not_found, name_, ": metadata key '", key, "' is missing");
  }
  return entry;
}

Result<std::uint32_t> GgufFile::u32(std::string_view key) const {
  DS4_TRY(const GgufEntry* entry, need(key));
  return scalar<std::uint32_t>(name_, *entry);
}

Result<std::uint64_t> GgufFile::u64(std::string_view key) const {
  DS4_TRY(const GgufEntry* entry, need(key));
  return scalar<std::uint64_t>(name_, *entry);
}

Result<float> GgufFile::f32(std::string_view key) const {
  DS4_TRY(const GgufEntry* entry, need(key));
  return scalar<float>(name_, *entry);
}

Result<bool> GgufFile::boolean(std::string_view key) const {
  DS4_TRY(const GgufEntry* entry, need(key));
  if (entry->type != GgufType::boolean) {
    return wrong(name_, *entry, "a bool", gguf_type_name(entry->type), entry->offset);
  }
  return entry->value[0] != std::byte{0};
}

Result<std::string_view> GgufFile::string(std::string_view key) const {
  DS4_TRY(const GgufEntry* entry, need(key));
  if (entry->type != GgufType::string) {
    return wrong(name_, *entry, "a string", gguf_type_name(entry->type), entry->offset);
  }
  return std::string_view(reinterpret_cast<const char*>(entry->value.data()), entry->value.size());
}

Result<std::vector<std::uint32_t>> GgufFile::u32_array(std::string_view key) const {
  DS4_TRY(const GgufEntry* entry, need(key));
  return array<std::uint32_t>(name_, *entry);
}

Result<std::vector<std::int32_t>> GgufFile::i32_array(std::string_view key) const {
  DS4_TRY(const GgufEntry* entry, need(key));
  return array<std::int32_t>(name_, *entry);
}

Result<std::vector<float>> GgufFile::f32_array(std::string_view key) const {
  DS4_TRY(const GgufEntry* entry, need(key));
  return array<float>(name_, *entry);
}

Result<std::vector<std::string_view>> GgufFile::string_array(std::string_view key) const {
  DS4_TRY(const GgufEntry* entry, need(key));
  if (entry->type != GgufType::array || entry->element != GgufType::string) {
    const std::string found = entry->type == GgufType::array
                                  ? "an array of " + std::string(gguf_type_name(entry->element))
                                  : std::string(gguf_type_name(entry->type));
    return wrong(name_, *entry, "an array of strings", found, entry->offset);
  }
  DS4_CHECK(check_elements(name_, *entry));
  // Lengths were checked when the file was parsed.
  std::vector<std::string_view> out;
  out.reserve(entry->count);
  const std::byte* p = entry->value.data();
  for (std::uint64_t i = 0; i < entry->count; ++i) {
    const auto length = load<std::uint64_t>(p);
    out.emplace_back(reinterpret_cast<const char*>(p + 8), length);
    p += 8 + length;
  }
  return out;
}

Result<void> GgufFile::read(const TensorInfo& tensor, std::uint64_t offset,
                            std::span<std::byte> out) const {
  const std::span<const std::byte> all = bytes(tensor);
  DS4_ASSERT(offset <= all.size() && out.size() <= all.size() - offset);
  const std::byte* const first = all.data() + offset;
  if (mapping_) return mapping_->read(static_cast<std::uint64_t>(first - bytes_.data()), out);
  std::copy_n(first, out.size(), out.data());
  return {};
}

void GgufFile::release(std::span<const std::byte> range) const noexcept {
  if (mapping_) mapping_->release(range);
}

std::array<std::byte, 32> GgufFile::header_hash() const {
  std::array<std::byte, 32> digest{};
  const std::uint64_t length = std::min<std::uint64_t>(data_offset_, bytes_.size());
  SHA256(reinterpret_cast<const unsigned char*>(bytes_.data()), length,
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

std::string GgufFile::header_hash_text() const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::byte b : header_hash()) {
    text.push_back(kDigits[std::to_integer<unsigned>(b) >> 4]);
    text.push_back(kDigits[std::to_integer<unsigned>(b) & 15U]);
  }
  return text;
}

bool GgufFile::unchanged() const noexcept {
  return !mapping_ || mapping_->unchanged();
}

}  // namespace ds4
