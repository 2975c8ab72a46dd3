#include "engine/sampler/logprobs.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

BOOST_AUTO_TEST_SUITE(logprobs)

BOOST_AUTO_TEST_CASE(values_are_the_log_of_the_softmax) {
  // Logits ln(1), ln(2), ln(5) have probabilities 1/8, 2/8, 5/8. The only rounding is that of the
  // logits to float: relative 2^-24 of at most 1.61, so 1e-7.
  const std::vector<float> logits = {std::log(1.0F), std::log(2.0F), std::log(5.0F)};
  ds4::TokenLogprob chosen{1, 0};
  std::array<ds4::TokenLogprob, 5> top;
  const auto count = ds4::top_logprobs(logits, chosen, top);
  BOOST_REQUIRE(count.ok());
  BOOST_REQUIRE_EQUAL(*count, 3U);
  BOOST_TEST(std::abs(chosen.logprob - std::log(0.25)) < 3e-7);
  BOOST_TEST(top[0].token == 2);
  BOOST_TEST(std::abs(top[0].logprob - std::log(0.625)) < 3e-7);
  BOOST_TEST(top[2].token == 0);
}

BOOST_AUTO_TEST_CASE(ties_go_to_the_lower_id_and_what_is_not_finite_is_skipped) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const std::vector<float> logits = {kNan, 1, kInf, 2, 1, 2, 2, -kInf};
  ds4::TokenLogprob chosen{0, 0};
  std::array<ds4::TokenLogprob, 4> top;
  BOOST_TEST(*ds4::top_logprobs(logits, chosen, top) == 4U);
  BOOST_TEST(top[0].token == 3);
  BOOST_TEST(top[1].token == 5);
  BOOST_TEST(top[2].token == 6);
  BOOST_TEST(top[3].token == 1);
  BOOST_TEST(chosen.logprob == -std::numeric_limits<double>::infinity());
}

BOOST_AUTO_TEST_CASE(nothing_finite_and_bad_ids_are_errors) {
  const std::vector<float> logits = {std::numeric_limits<float>::quiet_NaN()};
  ds4::TokenLogprob chosen{0, 0};
  BOOST_TEST(!ds4::top_logprobs(logits, chosen, {}).ok());
  chosen.token = 1;
  BOOST_TEST(!ds4::top_logprobs(logits, chosen, {}).ok());
  chosen.token = -1;
  BOOST_TEST(!ds4::top_logprobs(logits, chosen, {}).ok());
}

BOOST_AUTO_TEST_SUITE_END()
