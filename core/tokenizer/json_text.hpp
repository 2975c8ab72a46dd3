#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace ds4 {

/// A JSON value whose numbers keep their source text, because prompts depend on each digit.
struct JsonValue {
  enum class Kind { null, boolean, number, string, array, object };
  Kind kind = Kind::null;
  bool boolean = false;
  std::string text;               ///< number: source token; string: decoded UTF-8
  std::vector<JsonValue> items;   ///< array elements, or the values of object members
  std::vector<std::string> keys;  ///< object: key of items[i]

  [[nodiscard]] bool is(Kind k) const noexcept { return kind == k; }
  /// Member of an object, or null.
  [[nodiscard]] const JsonValue* find(std::string_view key) const noexcept;
  /// Adds a member at the end of an object.
  void add(std::string key, JsonValue value);

  static JsonValue make_string(std::string_view text);
  static JsonValue make_object();
};

/// Nesting deeper than this is refused.
inline constexpr std::size_t kJsonDepth = 256;

/// Strict JSON of one value. A repeated key keeps its first position and its last value; a lone
/// surrogate escape becomes U+FFFD.
/// Errors: invalid_argument (syntax, depth, invalid UTF-8, number beyond double).
Result<JsonValue> parse_json(std::string_view text);

/// The form of Python's json.dumps(ensure_ascii=False): ", " and ": ", key order kept, integers as
/// written, other numbers as the shortest form that reads back to the same double.
[[nodiscard]] std::string json_text(const JsonValue& value);

/// parse_json() then json_text().
Result<std::string> canonical_json(std::string_view text);

/// A number token in the form of json_text().
/// Errors: invalid_argument if it is no JSON number or beyond the range of double.
Result<std::string> json_number_text(std::string_view token);

}  // namespace ds4
