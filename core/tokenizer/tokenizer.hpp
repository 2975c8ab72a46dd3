#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "tokenizer/segments.hpp"
#include "tokenizer/vocabulary.hpp"

namespace ds4 {

/// Byte-level BPE of DeepSeek V4: text -> ids and back.
///
/// Immutable after make() and safe to use from any number of threads; copies share one table.
/// No call adds BOS or EOS by itself. Time is O(n log n) in the length of the text.
/// Errors of the encoders: bad_file if a byte has no token, invalid_argument for an unknown control
/// segment, internal if the regular expression engine gives up.
class Tokenizer {
 public:
  /// Errors: those of Vocabulary::make(); internal if the split patterns do not compile.
  static Result<Tokenizer> make(const VocabularySource& source,
                                ChatTokens chat = ChatTokens::required, const LogSink& log = {});

  [[nodiscard]] const Vocabulary& vocabulary() const noexcept;

  /// Plain text; a special string inside it stays ordinary text. Invalid UTF-8 is kept byte by
  /// byte.
  [[nodiscard]] Result<std::vector<std::int32_t>> encode_text(std::string_view text) const;

  /// Rendered text: control and user-defined tokens are recognised, longest first at each position;
  /// the spans between them are independent texts.
  [[nodiscard]] Result<std::vector<std::int32_t>> encode_rendered(std::string_view text) const;

  /// Prompt segments: each control segment is one token, neighbouring text segments are one text.
  [[nodiscard]] Result<std::vector<std::int32_t>> encode_segments(
      std::span<const Segment> segments) const;

  /// The bytes of the tokens, one after the other; ids outside the table give nothing.
  [[nodiscard]] std::string decode(std::span<const std::int32_t> ids) const;

 private:
  struct State;
  explicit Tokenizer(std::shared_ptr<const State> state);
  std::shared_ptr<const State> state_;
};

}  // namespace ds4
