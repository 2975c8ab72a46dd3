#include "inspect/value_text.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <cstring>

#include "format/gguf_layout.hpp"

namespace ds4::inspect {
namespace {

template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// A quoted string without line breaks or control characters.
std::string quoted(std::string_view text, std::size_t most) {
  cli::JsonWriter json;
  const std::size_t shown = std::min(text.size(), most);
  json.string(text.substr(0, shown));
  std::string out = json.take();
  if (shown < text.size()) out += " ... (" + std::to_string(text.size()) + " bytes)";
  return out;
}

void scalar(cli::JsonWriter& json, GgufType type, const std::byte* at) {
  switch (type) {
    case GgufType::u8:
      json.unsigned_integer(load<std::uint8_t>(at));
      break;
    case GgufType::i8:
      json.integer(load<std::int8_t>(at));
      break;
    case GgufType::u16:
      json.unsigned_integer(load<std::uint16_t>(at));
      break;
    case GgufType::i16:
      json.integer(load<std::int16_t>(at));
      break;
    case GgufType::u32:
      json.unsigned_integer(load<std::uint32_t>(at));
      break;
    case GgufType::i32:
      json.integer(load<std::int32_t>(at));
      break;
    case GgufType::f32:
      json.number(static_cast<double>(load<float>(at)));
      break;
    case GgufType::boolean:
      json.boolean(load<std::uint8_t>(at) != 0);
      break;
    case GgufType::u64:
      json.unsigned_integer(load<std::uint64_t>(at));
      break;
    case GgufType::i64:
      json.integer(load<std::int64_t>(at));
      break;
    case GgufType::f64:
      json.number(load<double>(at));
      break;
    case GgufType::string:
    case GgufType::array:
      break;
  }
}

std::string_view bytes_of(std::span<const std::byte> value) {
  return {reinterpret_cast<const char*>(value.data()), value.size()};
}

/// Writes up to `most` elements and returns how many. Lengths were checked when the file was read;
/// arrays of arrays are not taken apart.
std::size_t elements(cli::JsonWriter& json, const GgufEntry& entry, std::size_t most) {
  if (entry.element == GgufType::array) return 0;
  const std::size_t count = std::min<std::size_t>(entry.count, most);
  const std::byte* at = entry.value.data();
  for (std::size_t i = 0; i < count; ++i) {
    if (entry.element == GgufType::string) {
      const auto length = load<std::uint64_t>(at);
      json.string({reinterpret_cast<const char*>(at + sizeof length), length});
      at += sizeof length + length;
    } else {
      scalar(json, entry.element, at);
      at += gguf_scalar_bytes(entry.element);
    }
  }
  return count;
}

}  // namespace

void value_json(cli::JsonWriter& json, const GgufEntry& entry, std::size_t most) {
  if (entry.type == GgufType::string) {
    const std::string_view text = bytes_of(entry.value);
    json.string(text.substr(0, std::min(text.size(), most)));
  } else if (entry.type == GgufType::array) {
    json.begin_array();
    (void)elements(json, entry, most);
    json.end_array();
  } else {
    scalar(json, entry.type, entry.value.data());
  }
}

std::string value_text(const GgufEntry& entry, std::size_t most) {
  if (entry.type == GgufType::string) {
    // A string may be as long as some elements are.
    return quoted(bytes_of(entry.value), most == kWhole ? kWhole : most * 10);
  }
  cli::JsonWriter json;
  if (entry.type != GgufType::array) {
    scalar(json, entry.type, entry.value.data());
    return json.take();
  }
  json.begin_array();
  const std::size_t shown = elements(json, entry, most);
  json.end_array();
  std::string out = json.take();
  if (shown < entry.count) out += " ... (" + std::to_string(entry.count) + " elements)";
  return out;
}

std::string type_text(const GgufEntry& entry) {
  if (entry.type != GgufType::array) return std::string(gguf_type_name(entry.type));
  return "array of " + std::string(gguf_type_name(entry.element));
}

std::string dtype_text(Dtype dtype) {
  if (find_traits(dtype) != nullptr) return std::string(dtype_name(dtype));
  return "type " + std::to_string(static_cast<std::uint32_t>(dtype));
}

std::string dims_text(const TensorInfo& tensor) {
  std::string out = "[";
  for (std::uint32_t i = 0; i < tensor.rank; ++i) {
    out.append(i == 0 ? "" : ", ").append(std::to_string(tensor.dims[i]));
  }
  return out + "]";
}

bool matches(std::string_view name, const std::string& glob) {
  return glob.empty() || ::fnmatch(glob.c_str(), std::string(name).c_str(), 0) == 0;
}

}  // namespace ds4::inspect
