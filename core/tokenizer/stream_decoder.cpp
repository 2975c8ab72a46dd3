#include "tokenizer/stream_decoder.hpp"

#include <utility>

#include "tokenizer/utf8.hpp"

namespace ds4 {

StreamDecoder::StreamDecoder(Tokenizer tokenizer) : tokenizer_(std::move(tokenizer)) {}

std::string StreamDecoder::push(std::int32_t id) {
  return push_bytes(tokenizer_.vocabulary().bytes(id));
}

std::string StreamDecoder::push_bytes(std::string_view bytes) {
  std::string out = std::exchange(tail_, {});
  out += bytes;
  const std::size_t held = utf8_incomplete_tail(out);
  tail_ = out.substr(out.size() - held);
  out.resize(out.size() - held);
  return out;
}

std::string StreamDecoder::finish() {
  return std::exchange(tail_, {});
}

}  // namespace ds4
