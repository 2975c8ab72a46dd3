#include "run/answer_stream.hpp"

#include <utility>

namespace ds4::run {

AnswerStream::AnswerStream(Tokenizer tokenizer, Style style, ThinkingPrinter::Write write)
    : decoder_(std::move(tokenizer)),
      printer_(style.shows_thinking, style.colors, std::move(write)),
      splitter_(style.scans_tags ? ThinkingSplitter::Scan::tags : ThinkingSplitter::Scan::off,
                style.starts_thinking, [this](bool is_thinking, std::string_view bytes) {
                  (is_thinking ? thinking_ : text_).append(bytes);
                  printer_.print(is_thinking, bytes);
                }) {}

void AnswerStream::push(std::int32_t id) {
  splitter_.push(decoder_.push(id));
}

void AnswerStream::finish() {
  splitter_.push(decoder_.finish());
  splitter_.finish();
  printer_.finish();
}

}  // namespace ds4::run
