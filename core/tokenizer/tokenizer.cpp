#include "tokenizer/tokenizer.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "tokenizer/bpe.hpp"
#include "tokenizer/pretokenizer.hpp"

namespace ds4 {
namespace {

using Ids = std::vector<std::int32_t>;

// Finds control and user-defined tokens: per first byte the lengths that occur, longest first.
class SpecialFinder {
 public:
  explicit SpecialFinder(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {
    for (const std::int32_t id : vocabulary.special_tokens()) {
      const std::string_view text = vocabulary.bytes(id);
      lengths_[static_cast<std::uint8_t>(text[0])].push_back(text.size());
    }
    for (auto& lengths : lengths_) {
      std::sort(lengths.rbegin(), lengths.rend());
      lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
    }
  }

  // Length of the special token at the start of `text`, 0 if there is none.
  [[nodiscard]] std::size_t match(std::string_view text) const noexcept {
    for (const std::size_t length : lengths_[static_cast<std::uint8_t>(text[0])]) {
      if (length <= text.size() && vocabulary_.find_special(text.substr(0, length))) return length;
    }
    return 0;
  }

 private:
  const Vocabulary& vocabulary_;
  std::array<std::vector<std::size_t>, 256> lengths_;
};

}  // namespace

struct Tokenizer::State {
  State(Vocabulary table, Pretokenizer splitter)
      : vocabulary(std::move(table)),
        pretokenizer(std::move(splitter)),
        encoder(vocabulary),
        specials(vocabulary) {}

  Result<void> encode(std::string_view text, Ids& out) const {
    BytePairEncoder::Scratch scratch;
    std::vector<std::size_t> ends;
    while (!text.empty()) {
      const std::string_view block = text.substr(0, Pretokenizer::independent_prefix(text));
      DS4_CHECK(pretokenizer.split(block, ends));
      std::size_t begin = 0;
      for (const std::size_t end : ends) {
        DS4_CHECK(encoder.encode(block.substr(begin, end - begin), out, scratch));
        begin = end;
      }
      text.remove_prefix(block.size());
    }
    return {};
  }

  Vocabulary vocabulary;
  Pretokenizer pretokenizer;
  BytePairEncoder encoder;
  SpecialFinder specials;
};

Tokenizer::Tokenizer(std::shared_ptr<const State> state) : state_(std::move(state)) {}

Result<Tokenizer> Tokenizer::make(const VocabularySource& source, ChatTokens chat,
                                  const LogSink& log) {
  DS4_TRY(auto vocabulary, Vocabulary::make(source, chat, log));
  DS4_TRY(auto pretokenizer, Pretokenizer::make());
  return Tokenizer(std::make_shared<const State>(std::move(vocabulary), std::move(pretokenizer)));
}

const Vocabulary& Tokenizer::vocabulary() const noexcept {
  return state_->vocabulary;
}

Result<Ids> Tokenizer::encode_text(std::string_view text) const {
  Ids out;
  DS4_CHECK(state_->encode(text, out));
  return out;
}

Result<Ids> Tokenizer::encode_rendered(std::string_view text) const {
  Ids out;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = state_->specials.match(text.substr(at));
    if (length == 0) {
      ++at;
      continue;
    }
    DS4_CHECK(state_->encode(text.substr(begin, at - begin), out));
    out.push_back(*state_->vocabulary.find_special(text.substr(at, length)));
    at += length;
    begin = at;
  }
  DS4_CHECK(state_->encode(text.substr(begin), out));
  return out;
}

Result<Ids> Tokenizer::encode_segments(std::span<const Segment> segments) const {
  Ids out;
  std::string joined;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (segments[i].kind == Segment::Kind::control) {
      const auto id = state_->vocabulary.find_special(segments[i].bytes);
      if (!id) {
        return fail(Errc::invalid_argument, "the vocabulary has no control token '",
                    segments[i].bytes, "', which the prompt needs");
      }
      out.push_back(*id);
      continue;
    }
    const auto is_text = [&](std::size_t k) {
      return k < segments.size() && segments[k].kind == Segment::Kind::text;
    };
    if (!is_text(i + 1)) {
      DS4_CHECK(state_->encode(segments[i].bytes, out));
      continue;
    }
    joined = segments[i].bytes;
    while (is_text(i + 1)) joined += segments[++i].bytes;
    DS4_CHECK(state_->encode(joined, out));
  }
  return out;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
  std::string out;
  for (const std::int32_t id : ids) out += state_->vocabulary.bytes(id);
  return out;
}

}  // namespace ds4
