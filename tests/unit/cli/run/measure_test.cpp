#include <boost/test/unit_test.hpp>

#include <cmath>
#include <numeric>
#include <vector>

#include "run/decode_consistency.hpp"
#include "run/dump_logprobs.hpp"
#include "run/perplexity.hpp"
#include "tests/unit/cli/run/fake_model.hpp"
#include "tokenizer/json_text.hpp"

namespace ds4::run {
namespace {

using test::FakeModel;
constexpr std::uint32_t kVocab = 512;

std::vector<std::int32_t> counted(std::size_t count) {
  std::vector<std::int32_t> tokens(count);
  std::iota(tokens.begin(), tokens.end(), 0);
  return tokens;
}

// Equal logits everywhere: every token costs ln(vocab).
FakeModel uniform(std::uint32_t context) {
  return {context, kVocab, [](std::size_t) { return std::vector<float>(kVocab, 1.0F); }};
}

// Bound: `count` additions of numbers near ln(512) round by at most half an ulp of the sum each.
double sum_bound(double sum, std::uint64_t count) {
  return sum * static_cast<double>(count + 4) * 0x1p-52;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(measurements)

BOOST_AUTO_TEST_CASE(perplexity_of_a_uniform_model_is_its_vocabulary) {
  FakeModel model = uniform(1000);
  const auto sum = perplexity(model, counted(100), 5000, {}, {});
  BOOST_REQUIRE(sum);
  BOOST_TEST(sum->scored() == 68U);
  const double expected = 68 * std::log(512.0);
  BOOST_TEST(std::abs(sum->nll() - expected) <= sum_bound(expected, 68));
  BOOST_TEST(perplexity_line(100, *sum) ==
             "tokens=100 scored=68 nll=424.206074503 avg_nll=6.238324625 ppl=512.000000000");
}

BOOST_AUTO_TEST_CASE(perplexity_scores_each_token_on_the_logits_before_it) {
  const std::vector<std::int32_t> tokens = counted(40);
  FakeModel model(1000, kVocab, [](std::size_t position) {
    return test::peak(kVocab, static_cast<std::int32_t>(position));
  });
  const auto sum = perplexity(model, tokens, 5000, {}, {});
  BOOST_REQUIRE(sum);
  const double each = std::log(std::exp(5.0) + 511.0) - 5.0;
  BOOST_TEST(std::abs(sum->mean() - each) <= 16 * 0x1p-52 * std::log(std::exp(5.0) + 511.0));
}

BOOST_AUTO_TEST_CASE(perplexity_is_limited_by_count_and_context) {
  FakeModel wide = uniform(1000);
  BOOST_TEST(perplexity(wide, counted(100), 10, {}, {})->scored() == 10U);
  FakeModel narrow = uniform(40);
  BOOST_TEST(perplexity(narrow, counted(100), 5000, {}, {})->scored() == 8U);
  BOOST_TEST(!perplexity(wide, counted(32), 5000, {}, {}));
}

BOOST_AUTO_TEST_CASE(windows_score_their_second_half_but_the_last_row) {
  std::vector<std::size_t> firsts;
  const WindowLogits evaluate = [&](std::span<const std::int32_t> window, std::size_t first,
                                    const auto& take) -> Result<void> {
    BOOST_TEST(window.front() == 7);
    firsts.push_back(first);
    for (std::size_t row = first; row < window.size(); ++row) {
      take(row, std::vector<float>(kVocab, 0.0F));
    }
    return {};
  };
  const auto sum = windowed_perplexity(counted(35), 16, 7, evaluate, {}, {});
  BOOST_REQUIRE(sum);
  BOOST_TEST(firsts.size() == 2U);
  BOOST_TEST(firsts[0] == 8U);
  BOOST_TEST(sum->scored() == 2U * (16 - 1 - 8));
  // All terms are equal, so the spread is what rounding leaves of a difference of equal squares.
  BOOST_TEST(sum->error() <= 512.0 * std::sqrt(64 * 0x1p-52 * 39.0));
  BOOST_TEST(!windowed_perplexity(counted(15), 16, 7, evaluate, {}, {}));
}

BOOST_AUTO_TEST_CASE(the_error_of_a_perplexity_follows_its_formula) {
  PerplexitySum sum;
  for (const double nll : {1.0, 2.0, 3.0}) sum.add(nll);
  const double expected = std::exp(2.0) * std::sqrt((14.0 / 3.0 - 4.0) / 2.0);
  BOOST_TEST(std::abs(sum.error() - expected) <= 32 * 0x1p-52 * expected);
}

BOOST_AUTO_TEST_CASE(logprobs_are_json_that_ends_with_the_end_of_sequence) {
  const Tokenizer tokenizer = test::small_tokenizer();
  const std::int32_t eos = tokenizer.vocabulary().special().eos;
  FakeModel model(100, kVocab, [&](std::size_t position) {
    return test::peak(kVocab, position < 4 ? 70 : eos);
  });
  const std::vector<std::int32_t> prompt = {5, 6};
  LogprobsRequest request;
  request.prompt = prompt;
  request.max_tokens = 50;
  request.top_k = 3;
  const auto text = dump_logprobs(model, tokenizer, request);
  BOOST_REQUIRE(text);
  const auto json = parse_json(*text);
  BOOST_REQUIRE(json);
  const JsonValue& steps = *json->find("steps");
  BOOST_REQUIRE(steps.items.size() == 3U);
  BOOST_TEST(steps.items[0].find("selected")->find("id")->text == "70");
  BOOST_TEST(steps.items[2].find("selected")->find("id")->text == std::to_string(eos));
  BOOST_TEST(steps.items[0].find("top_logprobs")->items.size() == 3U);
  BOOST_TEST(model.seen.size() == 4U);
}

BOOST_AUTO_TEST_CASE(logits_that_differ_are_named_with_their_token) {
  const std::vector<float> a = {1, 2, 3, 4};
  const std::vector<float> b = {1, 2, 1, 4};
  const LogitsDifference difference = compare_logits(a, b);
  BOOST_TEST(difference.token == 2);
  BOOST_TEST(difference.max_abs == 2.0);
  BOOST_TEST(difference.rms == 1.0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::run
