#include "tokenizer/ascii_split.hpp"

#include <array>
#include <cstdint>

namespace ds4 {
namespace {

enum class Class : std::uint8_t { other, letter, digit, mark, line_end, space };

constexpr std::array<Class, 128> make_classes() noexcept {
  std::array<Class, 128> out{};
  for (unsigned c = 0; c < 128; ++c) {
    Class& kind = out[c];
    if (c == '\n' || c == '\r') {
      kind = Class::line_end;
    } else if (c == ' ' || (c >= '\t' && c <= '\r')) {
      kind = Class::space;
    } else if (c >= '0' && c <= '9') {
      kind = Class::digit;
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      kind = Class::letter;
    } else if (c > ' ' && c < 0x7F) {
      kind = Class::mark;  // the 32 ASCII characters of punctuation and symbols
    }
  }
  return out;
}

constexpr std::array<Class, 128> kClasses = make_classes();

Class class_at(std::string_view text, std::size_t i) noexcept {
  return i < text.size() ? kClasses[static_cast<std::uint8_t>(text[i]) & 0x7FU] : Class::other;
}

std::size_t skip(std::string_view text, std::size_t i, Class kind) noexcept {
  while (i < text.size() && class_at(text, i) == kind) ++i;
  return i;
}

// Alternatives d, e and f at a white space character.
std::size_t match_space(std::string_view text, std::size_t at) noexcept {
  std::size_t end = at;
  std::size_t after_line_end = at;
  for (Class kind = class_at(text, end); kind == Class::space || kind == Class::line_end;
       kind = class_at(text, end)) {
    ++end;
    if (kind == Class::line_end) after_line_end = end;
  }
  if (after_line_end > at) return after_line_end;
  return end == text.size() || end == at + 1 ? end : end - 1;
}

// End of the match that starts at `at`, or `at` if no alternative matches there.
std::size_t match_word(std::string_view text, std::size_t at) noexcept {
  const Class kind = class_at(text, at);
  const Class next = class_at(text, at + 1);
  if (next == Class::letter && kind != Class::line_end) return skip(text, at + 1, Class::letter);
  if (kind == Class::letter) return at + 1;
  if (kind == Class::mark || (text[at] == ' ' && next == Class::mark)) {
    return skip(text, skip(text, at + 1, Class::mark), Class::line_end);
  }
  if (kind == Class::space || kind == Class::line_end) return match_space(text, at);
  return at;
}

}  // namespace

void split_ascii_words(std::string_view piece, std::size_t offset, std::vector<std::size_t>& ends) {
  bool in_gap = false;
  for (std::size_t at = 0; at < piece.size();) {
    const std::size_t end = match_word(piece, at);
    if (end == at) {
      in_gap = true;
      ++at;
      continue;
    }
    if (in_gap) ends.push_back(offset + at);
    in_gap = false;
    ends.push_back(offset + end);
    at = end;
  }
  if (in_gap) ends.push_back(offset + piece.size());
}

void split_ascii(std::string_view text, std::size_t offset, std::vector<std::size_t>& ends) {
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && class_at(text, end) != Class::digit) ++end;
    if (end > at) split_ascii_words(text.substr(at, end - at), offset + at, ends);
    at = end;
    while (at < text.size() && class_at(text, at) == Class::digit) {
      const std::size_t run = skip(text.substr(0, at + 3), at, Class::digit);
      ends.push_back(offset + run);
      at = run;
    }
  }
}

}  // namespace ds4
