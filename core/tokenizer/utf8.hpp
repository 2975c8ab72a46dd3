#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ds4 {

/// Length of the well-formed UTF-8 sequence at the start of `text` (1..4), 0 if there is none.
/// Well-formed excludes overlong forms, surrogates and code points above U+10FFFF.
[[nodiscard]] std::size_t utf8_sequence_length(std::string_view text) noexcept;

/// Code point of a well-formed sequence of the given length.
[[nodiscard]] char32_t utf8_code_point(std::string_view text, std::size_t length) noexcept;

/// Appends a code point (not a surrogate, at most U+10FFFF).
void append_utf8(std::string& out, char32_t code_point);

/// Number of bytes at the end of `text` that may still become a well-formed sequence (0..3).
[[nodiscard]] std::size_t utf8_incomplete_tail(std::string_view text) noexcept;

/// The text with every byte that is in no well-formed sequence replaced by U+FFFD.
[[nodiscard]] std::string text_for_json(std::string_view bytes);

}  // namespace ds4
