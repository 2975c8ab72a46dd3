#pragma once

#include <cstdint>
#include <string>

#include "run/thinking.hpp"
#include "tokenizer/stream_decoder.hpp"

namespace ds4::run {

/// Token ids -> printed answer: whole UTF-8 sequences, thinking told from text, both collected.
class AnswerStream {
 public:
  struct Style {
    bool scans_tags = false;
    bool starts_thinking = false;
    bool shows_thinking = false;
    bool colors = false;
  };
  AnswerStream(Tokenizer tokenizer, Style style, ThinkingPrinter::Write write);
  AnswerStream(const AnswerStream&) = delete;
  AnswerStream& operator=(const AnswerStream&) = delete;

  void push(std::int32_t id);
  /// Gives out what is held back, ends colour and line.
  void finish();
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] const std::string& thinking() const noexcept { return thinking_; }

 private:
  StreamDecoder decoder_;
  ThinkingPrinter printer_;
  ThinkingSplitter splitter_;
  std::string text_;
  std::string thinking_;
};

}  // namespace ds4::run
