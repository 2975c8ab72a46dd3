#include "common/json_writer.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "tokenizer/utf8.hpp"

namespace ds4::cli {
namespace {

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_sequence_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

void append_escaped(std::string& out, std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const bool is_valid = is_valid_utf8(bytes);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.append({'\\', c});
    } else if (c == '\n') {
      out.append("\\n");
    } else if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !is_valid)) {
      out.append("\\u00").append({kDigits[byte >> 4], kDigits[byte & 15]});
    } else {
      out.push_back(c);
    }
  }
}

}  // namespace

std::string json_number(double value) {
  if (!std::isfinite(value)) return "null";
  std::array<char, 32> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                    std::chars_format::general, 9);
  return {buffer.data(), result.ptr};
}

void JsonWriter::separate() {
  if (needs_comma_) text_.push_back(',');
  if (break_before_) text_.push_back('\n');
  needs_comma_ = true;
  break_before_ = false;
}

JsonWriter& JsonWriter::begin_object() {
  separate();
  text_.push_back('{');
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  text_.push_back('}');
  needs_comma_ = true;
  break_before_ = false;
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  separate();
  text_.push_back('[');
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  text_.push_back(']');
  needs_comma_ = true;
  break_before_ = false;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  string(name);
  text_.push_back(':');
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::string(std::string_view bytes) {
  separate();
  text_.push_back('"');
  append_escaped(text_, bytes);
  text_.push_back('"');
  return *this;
}

JsonWriter& JsonWriter::integer(std::int64_t value) {
  separate();
  text_.append(std::to_string(value));
  return *this;
}

JsonWriter& JsonWriter::unsigned_integer(std::uint64_t value) {
  separate();
  text_.append(std::to_string(value));
  return *this;
}

JsonWriter& JsonWriter::number(double value) {
  separate();
  text_.append(json_number(value));
  return *this;
}

JsonWriter& JsonWriter::boolean(bool value) {
  separate();
  text_.append(value ? "true" : "false");
  return *this;
}

JsonWriter& JsonWriter::byte_array(std::string_view bytes) {
  begin_array();
  for (const char c : bytes) integer(static_cast<unsigned char>(c));
  return end_array();
}

JsonWriter& JsonWriter::line_break() {
  break_before_ = true;
  return *this;
}

}  // namespace ds4::cli
