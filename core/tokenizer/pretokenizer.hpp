#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace ds4 {

/// Splits text into the pieces that BPE works on.
///
/// Three patterns in sequence, each isolating its matches: every match and every stretch between
/// matches becomes a piece, and the pieces of one stage are the texts of the next (look-ahead and
/// end of text are those of the piece). Source: the tokenizer definition of the checkpoint.
///   1. one to three numbers (\p{N})
///   2. runs of CJK ideographs, Hiragana and Katakana
///   3. punctuation + ASCII letters; words with an optional leading character; runs of punctuation
///      and symbols with an optional leading space and trailing line ends; white space
/// A byte that is in no well-formed UTF-8 sequence counts as one character that is neither letter,
/// number, mark, punctuation, symbol nor white space. Immutable, thread-safe.
class Pretokenizer {
 public:
  /// Errors: internal if PCRE2 refuses a pattern.
  static Result<Pretokenizer> make();

  /// Replaces `ends` by the end offsets of all pieces, ascending; the last one is text.size().
  /// Errors: internal if PCRE2 runs out of its limits.
  Result<void> split(std::string_view text, std::vector<std::size_t>& ends) const;

  /// The same by the three patterns alone, without the shortcut for ASCII: the definition that
  /// split() is tested against.
  Result<void> split_by_patterns(std::string_view text, std::vector<std::size_t>& ends) const;

  /// Length of a prefix of `text` (all of it, if there is no better place) after which a piece ends
  /// in any case, so that the rest can be split on its own: a line end before a visible character.
  [[nodiscard]] static std::size_t independent_prefix(std::string_view text) noexcept;

 private:
  struct Patterns;
  explicit Pretokenizer(std::shared_ptr<const Patterns> patterns);
  Result<void> run(std::string_view text, bool shortcut, std::vector<std::size_t>& ends) const;

  std::shared_ptr<const Patterns> patterns_;
};

}  // namespace ds4
