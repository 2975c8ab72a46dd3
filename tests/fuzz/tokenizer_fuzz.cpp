// Any bytes: as a text of the golden vocabulary, and (first byte odd) as a vocabulary of their own.
// Holds: no crash, decoding gives back the text, text mode gives no special token, and the two
// splitters agree.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tests/unit/tokenizer/golden.hpp"
#include "tokenizer/pretokenizer.hpp"

namespace {

void require(bool holds) {
  if (!holds) __builtin_trap();
}

// Lines until an empty one are tokens ("<type> <token>"), then merges, then a text.
void try_vocabulary(std::string_view data) {
  ds4::VocabularySource source;
  source.model = "gpt2";
  source.pre = "joyai-llm";
  bool in_merges = false;
  for (const std::string_view line : ds4::test::lines_of(data)) {
    if (line.empty()) {
      in_merges = true;
    } else if (in_merges) {
      source.merges.push_back(line);
    } else {
      source.types.push_back(line[0] - '0');
      source.tokens.push_back(line.substr(line.size() > 1 ? 2 : 1));
    }
  }
  const auto tokenizer = ds4::Tokenizer::make(source, ds4::ChatTokens::optional);
  if (!tokenizer) return;
  const auto text = tokenizer->encode_text(data);
  if (text) require(tokenizer->decode(*text) == data);
  const auto rendered = tokenizer->encode_rendered(data);
  if (rendered) require(tokenizer->decode(*rendered) == data);
}

struct Fixture : ds4::test::GoldenVocabulary {
  Fixture() : tokenizer(*ds4::Tokenizer::make(source)), splitter(*ds4::Pretokenizer::make()) {}
  ds4::Tokenizer tokenizer;
  ds4::Pretokenizer splitter;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const Fixture fixture;
  const std::string_view data(reinterpret_cast<const char*>(bytes), size);
  if (size > 0 && (bytes[0] & 1U) != 0) try_vocabulary(data.substr(1));

  const auto text = fixture.tokenizer.encode_text(data);
  require(text.ok() && fixture.tokenizer.decode(*text) == data);
  for (const std::int32_t id : *text) require(!fixture.tokenizer.vocabulary().is_special(id));
  const auto rendered = fixture.tokenizer.encode_rendered(data);
  require(rendered.ok() && fixture.tokenizer.decode(*rendered) == data);

  std::vector<std::size_t> fast;
  std::vector<std::size_t> slow;
  require(fixture.splitter.split(data, fast).ok());
  require(fixture.splitter.split_by_patterns(data, slow).ok());
  require(fast == slow);
  return 0;
}
