#include "tokenizer/json_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>

namespace ds4 {
namespace {

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

// True for the grammar of RFC 8259, section 6.
bool is_json_number(std::string_view token) noexcept {
  std::size_t at = 0;
  const auto peek = [&] { return at < token.size() ? token[at] : '\0'; };
  const auto digits = [&] {
    const std::size_t begin = at;
    while (is_digit(peek())) ++at;
    return at > begin;
  };
  if (peek() == '-') ++at;
  if (peek() == '0') {
    ++at;
  } else if (!digits()) {
    return false;
  }
  if (peek() == '.') {
    ++at;
    if (!digits()) return false;
  }
  if (peek() == 'e' || peek() == 'E') {
    ++at;
    if (peek() == '+' || peek() == '-') ++at;
    if (!digits()) return false;
  }
  return at == token.size();
}

// The double nearest to a valid token; nothing beyond the range. from_chars reports overflow and
// underflow alike, so the two are told apart by the decimal exponent.
std::optional<double> nearest_double(std::string_view token) noexcept {
  double value = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
  if (error == std::errc()) return value;
  const bool negative = token.front() == '-';
  const std::string_view digits = token.substr(0, token.find_first_of("eE"));
  const std::size_t first = digits.find_first_of("123456789");
  const std::size_t point = std::min(digits.find('.'), digits.size());
  std::int64_t exponent = 0;
  if (digits.size() < token.size()) {
    std::string_view tail = token.substr(digits.size() + 1);
    const bool below = tail.front() == '-';
    if (!is_digit(tail.front())) tail.remove_prefix(1);
    if (std::from_chars(tail.data(), tail.data() + tail.size(), exponent).ec != std::errc()) {
      exponent = std::int64_t{1} << 60;
    }
    if (below) exponent = -exponent;
  }
  if (first == std::string_view::npos) return negative ? -0.0 : 0.0;
  if (exponent + static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first) > 0) {
    return std::nullopt;
  }
  return negative ? -0.0 : 0.0;
}

// Python's float repr: fixed for a decimal exponent in [-4, 15], else d.ddde+XX.
std::string double_text(double value) {
  std::array<char, 40> buffer{};
  const auto scientific = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                        std::chars_format::scientific);
  std::string text(buffer.data(), scientific.ptr);
  const std::size_t e = text.find('e');
  int exponent = 0;
  const char* digits = text.data() + e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(digits, text.data() + text.size(), exponent);
  if (exponent < -4 || exponent > 15) return text;
  // Shortest digits in fixed notation; to_chars would print exact digits for large numbers.
  const bool negative = text.front() == '-';
  std::string all;
  for (const char c : std::string_view(text).substr(0, e)) {
    if (is_digit(c)) all.push_back(c);
  }
  std::string out = negative ? "-" : "";
  if (exponent < 0) {
    out.append("0.").append(static_cast<std::size_t>(-exponent - 1), '0').append(all);
    return out;
  }
  const auto whole = static_cast<std::size_t>(exponent) + 1;
  if (all.size() < whole + 1) all.append(whole + 1 - all.size(), '0');
  return out.append(all, 0, whole).append(".").append(all, whole);
}

void append_string(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out.push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default: {
        const auto byte = static_cast<std::uint8_t>(c);
        if (byte < 0x20) {
          out.append("\\u00").append(1, kHex[byte >> 4U]).append(1, kHex[byte & 15U]);
        } else {
          out.push_back(c);
        }
      }
    }
  }
  out.push_back('"');
}

void append_value(std::string& out, const JsonValue& value) {
  switch (value.kind) {
    case JsonValue::Kind::null:
      out += "null";
      return;
    case JsonValue::Kind::boolean:
      out += value.boolean ? "true" : "false";
      return;
    case JsonValue::Kind::number: {
      const auto text = json_number_text(value.text);
      out += text.ok() ? *text : value.text;
      return;
    }
    case JsonValue::Kind::string:
      append_string(out, value.text);
      return;
    case JsonValue::Kind::array:
      out.push_back('[');
      for (std::size_t i = 0; i < value.items.size(); ++i) {
        if (i > 0) out += ", ";
        append_value(out, value.items[i]);
      }
      out.push_back(']');
      return;
    case JsonValue::Kind::object:
      out.push_back('{');
      for (std::size_t i = 0; i < value.items.size(); ++i) {
        if (i > 0) out += ", ";
        append_string(out, value.keys[i]);
        out += ": ";
        append_value(out, value.items[i]);
      }
      out.push_back('}');
      return;
  }
}

}  // namespace

const JsonValue* JsonValue::find(std::string_view key) const noexcept {
  if (kind != Kind::object) return nullptr;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i] == key) return &items[i];
  }
  return nullptr;
}

void JsonValue::add(std::string key, JsonValue value) {
  keys.push_back(std::move(key));
  items.push_back(std::move(value));
}

JsonValue JsonValue::make_string(std::string_view text) {
  JsonValue out;
  out.kind = Kind::string;
  out.text = text;
  return out;
}

JsonValue JsonValue::make_object() {
  JsonValue out;
  out.kind = Kind::object;
  return out;
}

Result<std::string> json_number_text(std::string_view token) {
  if (!is_json_number(token)) {
    return fail(Errc::invalid_argument, "'", token.substr(0, 64), "' is no JSON number");
  }
  if (token.find_first_of(".eE") == std::string_view::npos) {
    return std::string(token == "-0" ? "0" : token);
  }
  const auto value = nearest_double(token);
  if (!value) {
    return fail(Errc::invalid_argument, "the number ", token.substr(0, 64),
                " is beyond the range of a double");
  }
  return double_text(*value);
}

std::string json_text(const JsonValue& value) {
  std::string out;
  append_value(out, value);
  return out;
}

Result<std::string> canonical_json(std::string_view text) {
  DS4_TRY(const JsonValue value, parse_json(text));
  return json_text(value);
}

}  // namespace ds4
