#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ds4::cli {

/// Builds JSON text on one line; commas are put by itself.
class JsonWriter {
 public:
  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);

  /// UTF-8 text as it is, control characters escaped. Bytes that are in no valid sequence make the
  /// whole text fall back to \u00XX for every byte of 0x80 and above.
  JsonWriter& string(std::string_view bytes);
  JsonWriter& integer(std::int64_t value);
  JsonWriter& unsigned_integer(std::uint64_t value);
  /// 9 significant digits, enough for every float; null when not finite.
  JsonWriter& number(double value);
  JsonWriter& boolean(bool value);
  /// The bytes as an array of integers.
  JsonWriter& byte_array(std::string_view bytes);
  /// A line break; only between values.
  JsonWriter& line_break();

  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  void separate();
  std::string text_;
  bool needs_comma_ = false;
  bool break_before_ = false;
};

/// A number with 9 significant digits, "null" when not finite.
[[nodiscard]] std::string json_number(double value);

}  // namespace ds4::cli
