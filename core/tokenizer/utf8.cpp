#include "tokenizer/utf8.hpp"

#include <cstdint>

namespace ds4 {
namespace {

std::uint8_t byte_at(std::string_view text, std::size_t i) noexcept {
  return static_cast<std::uint8_t>(text[i]);
}

// Number of bytes that a lead byte announces; 0 if it can not start a sequence.
std::size_t announced_length(std::uint8_t lead) noexcept {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

// True if `second` may follow `lead`; excludes overlong forms, surrogates and what is above
// U+10FFFF.
bool second_fits(std::uint8_t lead, std::uint8_t second) noexcept {
  if (lead == 0xE0) return second >= 0xA0 && second <= 0xBF;
  if (lead == 0xED) return second >= 0x80 && second <= 0x9F;
  if (lead == 0xF0) return second >= 0x90 && second <= 0xBF;
  if (lead == 0xF4) return second >= 0x80 && second <= 0x8F;
  return second >= 0x80 && second <= 0xBF;
}

// Number of leading bytes of `text` that agree with a well-formed sequence of `length` bytes.
std::size_t agreeing_bytes(std::string_view text, std::size_t length) noexcept {
  std::size_t n = 1;
  while (n < length && n < text.size()) {
    const bool fits = n == 1 ? second_fits(byte_at(text, 0), byte_at(text, 1))
                             : (byte_at(text, n) & 0xC0U) == 0x80U;
    if (!fits) break;
    ++n;
  }
  return n;
}

}  // namespace

std::size_t utf8_sequence_length(std::string_view text) noexcept {
  if (text.empty()) return 0;
  const std::size_t length = announced_length(byte_at(text, 0));
  if (length <= 1) return length;
  return agreeing_bytes(text, length) == length ? length : 0;
}

char32_t utf8_code_point(std::string_view text, std::size_t length) noexcept {
  const char32_t lead = byte_at(text, 0);
  if (length == 1) return lead;
  char32_t out = lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) out = (out << 6U) | (byte_at(text, i) & 0x3FU);
  return out;
}

void append_utf8(std::string& out, char32_t c) {
  const auto put = [&out](char32_t value) { out.push_back(static_cast<char>(value)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0U | (c >> 6U));
    put(0x80U | (c & 0x3FU));
  } else if (c < 0x10000) {
    put(0xE0U | (c >> 12U));
    put(0x80U | ((c >> 6U) & 0x3FU));
    put(0x80U | (c & 0x3FU));
  } else {
    put(0xF0U | (c >> 18U));
    put(0x80U | ((c >> 12U) & 0x3FU));
    put(0x80U | ((c >> 6U) & 0x3FU));
    put(0x80U | (c & 0x3FU));
  }
}

std::size_t utf8_incomplete_tail(std::string_view text) noexcept {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const std::string_view tail = text.substr(text.size() - back);
    const std::size_t length = announced_length(byte_at(tail, 0));
    if (length <= 1) {
      if (length == 1) return 0;
      continue;  // a continuation byte, its lead may stand before it
    }
    return length > back && agreeing_bytes(tail, length) == back ? back : 0;
  }
  return 0;
}

std::string text_for_json(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t length = utf8_sequence_length(bytes);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      bytes.remove_prefix(1);
    } else {
      out += bytes.substr(0, length);
      bytes.remove_prefix(length);
    }
  }
  return out;
}

}  // namespace ds4
