#include "tokenizer/bpe.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <map>
#include <random>
#include <string>
#include <utility>

#include "tests/unit/tokenizer/golden.hpp"
#include "tokenizer/byte_mapping.hpp"

namespace {

using Ids = std::vector<std::int32_t>;

// The textbook algorithm on strings: find the pair of lowest rank, leftmost, merge it, repeat.
class Textbook {
 public:
  explicit Textbook(const ds4::VocabularySource& source) {
    for (std::size_t i = 0; i < source.merges.size(); ++i) {
      const std::size_t space = source.merges[i].find(' ', 1);
      ranks_.emplace(std::pair(std::string(source.merges[i].substr(0, space)),
                               std::string(source.merges[i].substr(space + 1))),
                     i);
    }
  }

  std::vector<std::string> operator()(std::string_view piece) const {
    std::vector<std::string> symbols;
    for (const char c : piece) symbols.push_back(ds4::map_bytes({&c, 1}));
    for (;;) {
      std::size_t best = symbols.size();
      std::size_t best_rank = ranks_.size();
      for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
        const auto at = ranks_.find({symbols[i], symbols[i + 1]});
        if (at != ranks_.end() && at->second < best_rank) {
          best_rank = at->second;
          best = i;
        }
      }
      if (best == symbols.size()) return symbols;
      symbols[best] += symbols[best + 1];
      symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }
  }

 private:
  std::map<std::pair<std::string, std::string>, std::size_t> ranks_;
};

ds4::VocabularySource letters(std::vector<std::string_view> tokens,
                              std::vector<std::string_view> merges) {
  ds4::VocabularySource out;
  out.tokens = std::move(tokens);
  out.merges = std::move(merges);
  out.model = "gpt2";
  out.pre = "joyai-llm";
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bpe)

BOOST_AUTO_TEST_CASE(equals_the_textbook_algorithm_on_short_and_long_pieces) {
  const ds4::test::GoldenVocabulary golden;
  const auto vocabulary = ds4::Vocabulary::make(golden.source);
  BOOST_REQUIRE(vocabulary.ok());
  const ds4::BytePairEncoder encoder(*vocabulary);
  const Textbook textbook(golden.source);
  ds4::BytePairEncoder::Scratch scratch;
  std::mt19937 random(11);
  for (int round = 0; round < 1500; ++round) {
    // Pieces of frequent letters merge a lot; both sides of the length limit are covered.
    std::string piece(random() % 150 + 1, 'e');
    for (char& c : piece) c = "etaoinst hrdlu"[random() % 14];
    if (round % 5 == 0) piece[0] = static_cast<char>(random());
    Ids ids;
    BOOST_REQUIRE(encoder.encode(piece, ids, scratch).ok());
    std::vector<std::string> found;
    for (const std::int32_t id : ids) found.push_back(ds4::map_bytes(vocabulary->bytes(id)));
    BOOST_REQUIRE(found == textbook(piece));
  }
}

BOOST_AUTO_TEST_CASE(leftmost_pair_goes_first_when_a_pair_repeats) {
  const auto source = letters({"a", "aa"}, {"a a"});
  const auto vocabulary = ds4::Vocabulary::make(source, ds4::ChatTokens::optional);
  const ds4::BytePairEncoder encoder(*vocabulary);
  ds4::BytePairEncoder::Scratch scratch;
  for (const std::size_t length : {3U, 63U, 64U, 65U, 1001U}) {
    Ids ids;
    BOOST_REQUIRE(encoder.encode(std::string(length, 'a'), ids, scratch).ok());
    Ids expected(length / 2, 1);
    if (length % 2 == 1) expected.push_back(0);
    BOOST_TEST((ids == expected));
  }
}

BOOST_AUTO_TEST_CASE(a_symbol_that_is_no_token_falls_back_to_its_bytes) {
  const auto source = letters({"a", "b", "c", "abc"}, {"a b", "ab c"});
  const auto vocabulary = ds4::Vocabulary::make(source, ds4::ChatTokens::optional);
  const ds4::BytePairEncoder encoder(*vocabulary);
  ds4::BytePairEncoder::Scratch scratch;
  Ids ids;
  BOOST_REQUIRE(encoder.encode("ab", ids, scratch).ok());
  BOOST_TEST((ids == Ids{0, 1}));
  ids.clear();
  BOOST_REQUIRE(encoder.encode("abcab", ids, scratch).ok());  // "ab" is a step on the way to "abc"
  BOOST_TEST((ids == Ids{3, 0, 1}));
}

BOOST_AUTO_TEST_CASE(a_byte_without_a_token_is_an_error) {
  const auto source = letters({"a"}, {});
  const auto vocabulary = ds4::Vocabulary::make(source, ds4::ChatTokens::optional);
  const ds4::BytePairEncoder encoder(*vocabulary);
  ds4::BytePairEncoder::Scratch scratch;
  Ids ids;
  const auto result = encoder.encode("ax", ids, scratch);
  BOOST_REQUIRE(!result.ok());
  BOOST_TEST(result.error().what.find("byte 120") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_token_that_merging_does_not_reach_is_not_a_shortcut) {
  // "abc" is in the table, but "b c" goes first and then nothing joins "a" with "bc".
  const auto source = letters({"a", "b", "c", "bc", "abc"}, {"b c"});
  const auto vocabulary = ds4::Vocabulary::make(source, ds4::ChatTokens::optional);
  const ds4::BytePairEncoder encoder(*vocabulary);
  ds4::BytePairEncoder::Scratch scratch;
  Ids ids;
  BOOST_REQUIRE(encoder.encode("abc", ids, scratch).ok());
  BOOST_TEST((ids == Ids{0, 3}));
}

BOOST_AUTO_TEST_CASE(text_never_becomes_a_control_token_by_merging) {
  auto source = letters({"<", "x", ">", "<x>", "<x"}, {"< x", "<x >"});
  source.types = {1, 1, 1, 3, 1};
  const auto vocabulary = ds4::Vocabulary::make(source, ds4::ChatTokens::optional);
  const ds4::BytePairEncoder encoder(*vocabulary);
  ds4::BytePairEncoder::Scratch scratch;
  Ids ids;
  BOOST_REQUIRE(encoder.encode("<x>", ids, scratch).ok());
  BOOST_TEST((ids == Ids{0, 1, 2}));
}

BOOST_AUTO_TEST_CASE(time_grows_almost_linearly_with_the_length_of_a_piece) {
  const ds4::test::GoldenVocabulary golden;
  const auto vocabulary = ds4::Vocabulary::make(golden.source);
  const ds4::BytePairEncoder encoder(*vocabulary);
  ds4::BytePairEncoder::Scratch scratch;
  std::mt19937 random(3);
  std::string piece(1U << 20U, 'e');
  for (char& c : piece) c = "etaoinsthr"[random() % 10];
  const auto seconds = [&](std::size_t length) {
    Ids ids;
    const auto begin = std::chrono::steady_clock::now();
    BOOST_REQUIRE(encoder.encode(std::string_view(piece).substr(0, length), ids, scratch).ok());
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  const double small = seconds(piece.size() / 32);
  const double large = seconds(piece.size());
  // 32 times the length: n log n gives 32 * 20 / 15 = 43, a quadratic method 1024. The border lies
  // between, far enough from both for caches and a busy machine.
  BOOST_TEST(large < 300 * small);
}

BOOST_AUTO_TEST_SUITE_END()
