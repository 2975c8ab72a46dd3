#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tokenizer/tokenizer.hpp"

namespace ds4 {

/// Turns a stream of token ids into text that is never cut inside a UTF-8 sequence.
///
/// Bytes that cannot become valid UTF-8 any more are given out as they are; text_for_json()
/// replaces them. At most three bytes are held back.
class StreamDecoder {
 public:
  /// Keeps a (shared) copy of the tokenizer.
  explicit StreamDecoder(Tokenizer tokenizer);

  /// Adds a token; returns the bytes that are complete now (may be empty).
  std::string push(std::int32_t id);
  /// Adds raw bytes instead of a token.
  std::string push_bytes(std::string_view bytes);
  /// Ends the stream; returns what was held back, as it is.
  std::string finish();
  /// Number of bytes held back.
  [[nodiscard]] std::size_t held() const noexcept { return tail_.size(); }

 private:
  Tokenizer tokenizer_;
  std::string tail_;
};

}  // namespace ds4
