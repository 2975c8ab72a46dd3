#include "engine/sampler/sampler.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <vector>

namespace {

using ds4::RequestSampling;
using ds4::Sampler;
using ds4::SamplingMode;
using ds4::SamplingParams;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

RequestSampling request(const SamplingParams& params, std::size_t vocab) {
  auto made = RequestSampling::make(params, static_cast<std::uint32_t>(vocab));
  BOOST_REQUIRE_MESSAGE(made.ok(), (made ? "" : made.error().what));
  return *std::move(made);
}

SamplingParams seeded(std::uint64_t seed) {
  SamplingParams out;
  out.seed = seed;
  return out;
}

SamplingParams greedy() {
  SamplingParams out;
  out.temperature = 0;
  return out;
}

std::int32_t one(const std::vector<float>& logits, const SamplingParams& params,
                 std::vector<std::int32_t> accepted = {}) {
  Sampler sampler(static_cast<std::uint32_t>(logits.size()));
  RequestSampling state = request(params, logits.size());
  for (const std::int32_t token : accepted) state.accept(token);
  const auto token = sampler.sample(logits, state);
  BOOST_REQUIRE(token.ok());
  return *token;
}

// Counts of `draws` tokens.
std::vector<double> histogram(const std::vector<float>& logits, const SamplingParams& params,
                              int draws) {
  Sampler sampler(static_cast<std::uint32_t>(logits.size()));
  RequestSampling state = request(params, logits.size());
  std::vector<double> out(logits.size(), 0);
  for (int i = 0; i < draws; ++i)
    out[static_cast<std::size_t>(*sampler.sample(logits, state))] += 1;
  return out;
}

// Pearson's statistic against weights; a token of weight 0 must not occur.
void check_distribution(const std::vector<double>& counts, std::vector<double> weights) {
  double draws = 0;
  double sum = 0;
  for (const double count : counts) draws += count;
  for (const double weight : weights) sum += weight;
  double statistic = 0;
  double freedom = -1;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (weights[i] == 0) {
      BOOST_TEST(counts[i] == 0);
      continue;
    }
    const double expected = draws * weights[i] / sum;
    BOOST_REQUIRE(expected >= 5);  // where the chi-square approximation holds
    statistic += (counts[i] - expected) * (counts[i] - expected) / expected;
    freedom += 1;
  }
  if (freedom == 0) return;  // one token, and no other occurred
  // Wilson-Hilferty: (X/k)^(1/3) is normal with mean 1-2/(9k), variance 2/(9k). 4 sigma is a chance
  // of 3 in 100,000 for a correct sampler; the seeds are fixed, so it passes always or never.
  const double variance = 2 / (9 * freedom);
  const double z = (std::cbrt(statistic / freedom) - (1 - variance)) / std::sqrt(variance);
  BOOST_TEST(z < 4.0, "chi-square " << statistic << " with " << freedom << " degrees of freedom");
}

const std::vector<float> kLogits = {0.5F, 2.0F, -1.0F, 1.5F, 0.0F, 2.5F, -0.5F, 1.0F};

std::vector<double> softmax_weights(double temperature) {
  std::vector<double> out;
  for (const float logit : kLogits)
    out.push_back(std::exp(static_cast<double>(logit) / temperature));
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sampler)

BOOST_AUTO_TEST_CASE(random_stream_is_xorshift64_star) {
  // The definition written out: shifts 12, 25, 27, then the top 24 bits of the product.
  std::uint64_t x = 42;
  ds4::RandomStream stream(42);
  for (int i = 0; i < 100; ++i) {
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    const auto expected = static_cast<double>((x * 0x2545F4914F6CDD1DULL) >> 40) / 16777216.0;
    BOOST_TEST(stream.uniform() == expected);
  }
  BOOST_TEST(ds4::RandomStream(0).state() == 0x9E3779B97F4A7C15ULL);
  BOOST_TEST(ds4::RandomStream(1).state() == 1U);
}

BOOST_AUTO_TEST_CASE(temperature_zero_takes_the_first_of_the_greatest) {
  BOOST_TEST(one({1, 3, 3, 2}, greedy()) == 1);
  BOOST_TEST(one({kNan, -5, kInf, -kInf, -4}, greedy()) == 4);
}

BOOST_AUTO_TEST_CASE(no_finite_logit_is_an_error) {
  for (const float temperature : {0.0F, 1.0F}) {
    for (const float top_p : {1.0F, 0.5F}) {
      SamplingParams params;
      params.temperature = temperature;
      params.top_p = top_p;
      Sampler sampler(3);
      RequestSampling state = request(params, 3);
      BOOST_TEST(!sampler.sample(std::vector<float>{kNan, kInf, -kInf}, state).ok());
      BOOST_TEST(!sampler.sample(std::vector<float>{1, 2}, state).ok());
      BOOST_TEST(!sampler
                      .sample(std::vector<float>{1, 2, 3}, state, SamplingMode::request,
                              std::vector<std::int32_t>{0, 1, 2})
                      .ok());
    }
  }
}

BOOST_AUTO_TEST_CASE(banned_tokens_are_never_chosen) {
  Sampler sampler(4);
  RequestSampling state = request(greedy(), 4);
  const std::vector<float> logits = {1, 4, 3, 2};
  const std::vector<std::int32_t> banned = {1, -7, 99, 2};
  BOOST_TEST(*sampler.sample(logits, state, SamplingMode::request, banned) == 3);
  BOOST_TEST(*sampler.sample(logits, state, SamplingMode::greedy, banned) == 3);
}

BOOST_AUTO_TEST_CASE(bias_is_added_and_minus_hundred_bans) {
  SamplingParams params = greedy();
  params.logit_bias = {{0, 2.5F}, {1, -100.0F}};
  BOOST_TEST(one({1, 500, 3}, params) == 0);
}

BOOST_AUTO_TEST_CASE(penalties_apply_to_generated_tokens_in_the_stated_order) {
  SamplingParams params = greedy();
  params.presence_penalty = 1;
  params.frequency_penalty = 0.5F;
  // Token 0: 4 - 1 - 0.5 * 2 = 2 < 2.5.
  BOOST_TEST(one({4, 2.5F, 0}, params, {0, 0}) == 1);
  BOOST_TEST(one({4, 2.25F, 0}, params, {0}) == 0);
  params = greedy();
  params.repetition_penalty = 2;
  BOOST_TEST(one({4, 2.5F}, params, {0}) == 1);       // 4 / 2
  BOOST_TEST(one({-1, -1.5F}, params, {0}) == 1);     // -1 * 2
  BOOST_TEST(one({-1, -1.5F}, params, {0, 1}) == 0);  // both
  params.presence_penalty = 1;
  BOOST_TEST(one({4, 1.6F}, params, {0}) == 1);  // (4 - 1) / 2 = 1.5, not 4 / 2 - 1 = 1
  BOOST_TEST(one({4, 1.4F}, params, {0}) == 0);
}

BOOST_AUTO_TEST_CASE(forced_greedy_ignores_bias_and_penalties_and_draws_nothing) {
  SamplingParams params = seeded(3);
  params.logit_bias = {{0, 50}};
  params.presence_penalty = 50;
  Sampler sampler(3);
  RequestSampling state = request(params, 3);
  state.accept(2);
  BOOST_TEST(*sampler.sample(std::vector<float>{1, 2, 3}, state, SamplingMode::greedy) == 2);
  BOOST_TEST(state.random().state() == 3U);
}

BOOST_AUTO_TEST_CASE(each_sampled_token_costs_one_draw) {
  for (const float top_p : {1.0F, 0.9F}) {
    SamplingParams params = seeded(99);
    params.top_p = top_p;
    Sampler sampler(static_cast<std::uint32_t>(kLogits.size()));
    RequestSampling state = request(params, kLogits.size());
    ds4::RandomStream stream(99);
    for (int i = 0; i < 5; ++i) {
      BOOST_REQUIRE(sampler.sample(kLogits, state).ok());
      stream.uniform();
      BOOST_TEST(state.random().state() == stream.state());
    }
  }
}

BOOST_AUTO_TEST_CASE(plain_sampling_follows_the_softmax) {
  for (const float temperature : {0.5F, 1.0F, 2.0F}) {
    SamplingParams params = seeded(20260423);
    params.temperature = temperature;
    check_distribution(histogram(kLogits, params, 40000),
                       softmax_weights(static_cast<double>(temperature)));
  }
}

BOOST_AUTO_TEST_CASE(limits_keep_exactly_their_tokens) {
  // By falling logit: 5 1 3 7 0 4 6 2.
  const auto keep = [](std::set<std::size_t> ids) {
    std::vector<double> out = softmax_weights(1);
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (ids.count(i) == 0) out[i] = 0;
    }
    return out;
  };
  SamplingParams params = seeded(7);
  params.top_k = 3;
  check_distribution(histogram(kLogits, params, 20000), keep({5, 1, 3}));
  params = seeded(8);
  params.min_p = 0.3F;  // exp(-1) = 0.37 stays, exp(-1.5) = 0.22 goes
  check_distribution(histogram(kLogits, params, 20000), keep({5, 1, 3}));
  params = seeded(9);
  params.top_p = 0.7F;  // probabilities 0.40 0.24 0.15 ...: three tokens reach 0.79
  check_distribution(histogram(kLogits, params, 20000), keep({5, 1, 3}));
  params = seeded(10);
  params.top_k = 2;
  params.top_p = 0.5F;  // of the two that are left, 0.62 and 0.38, the first is enough
  check_distribution(histogram(kLogits, params, 100), keep({5}));
  params = seeded(11);
  params.top_p = 0.99F;
  params.min_p = 0.5F;  // exp(-0.5) = 0.61 stays
  check_distribution(histogram(kLogits, params, 20000), keep({5, 1}));
}

BOOST_AUTO_TEST_CASE(ties_at_the_border_of_top_k_go_to_the_lower_id) {
  SamplingParams params = seeded(12);
  params.top_k = 2;
  const auto counts = histogram({1, 2, 1, 1}, params, 2000);
  BOOST_TEST(counts[0] > 0);
  BOOST_TEST(counts[2] == 0);
  BOOST_TEST(counts[3] == 0);
  params.top_p = 0.999F;
  BOOST_TEST(histogram({1, 2, 1, 1}, params, 2000)[2] == 0);
}

BOOST_AUTO_TEST_CASE(same_seed_gives_the_same_tokens_and_the_whole_seed_counts) {
  const auto tokens = [](std::uint64_t seed) {
    Sampler sampler(static_cast<std::uint32_t>(kLogits.size()));
    RequestSampling state = request(seeded(seed), kLogits.size());
    std::vector<std::int32_t> out;
    for (int i = 0; i < 50; ++i) out.push_back(*sampler.sample(kLogits, state));
    return out;
  };
  constexpr std::uint64_t kLarge = (1ULL << 60U) + 1;
  BOOST_TEST((tokens(kLarge) == tokens(kLarge)));
  BOOST_TEST((tokens(kLarge) != tokens(kLarge - 1)));
}

BOOST_AUTO_TEST_CASE(limits_equal_a_full_sort_at_the_real_vocabulary) {
  constexpr std::size_t kVocab = 129280;
  std::mt19937 random(4);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> logits(kVocab);
  for (float& logit : logits) logit = normal(random);
  std::vector<std::int32_t> order(kVocab);
  for (std::size_t i = 0; i < kVocab; ++i) order[i] = static_cast<std::int32_t>(i);
  const auto at = [&](std::int32_t id) {
    return static_cast<double>(logits[static_cast<std::size_t>(id)]);
  };
  std::sort(order.begin(), order.end(),
            [&](std::int32_t a, std::int32_t b) { return at(a) != at(b) ? at(a) > at(b) : a < b; });
  double total = 0;
  for (const std::int32_t id : order) total += std::exp(at(id) - at(order[0]));
  double sum = 0;
  std::size_t nucleus = 0;
  while (sum < 0.5 * total) sum += std::exp(at(order[nucleus++]) - at(order[0]));
  SamplingParams params = seeded(6);
  params.top_p = 0.5F;
  Sampler sampler(kVocab);
  RequestSampling state = request(params, kVocab);
  const std::set<std::int32_t> allowed(order.begin(),
                                       order.begin() + static_cast<std::ptrdiff_t>(nucleus));
  ds4::RandomStream stream(6);
  for (int i = 0; i < 20; ++i) {
    const std::int32_t token = *sampler.sample(logits, state);
    BOOST_TEST(allowed.count(token) == 1U);
    // The draw walks by falling logit: find the token that the same draw must give.
    const double target = stream.uniform() * sum;
    double walked = 0;
    std::size_t k = 0;
    while ((walked += std::exp(at(order[k]) - at(order[0]))) <= target) ++k;
    BOOST_TEST(token == order[k]);
  }
}

BOOST_AUTO_TEST_CASE(parameters_out_of_range_are_refused) {
  const auto refused = [](auto change) {
    SamplingParams params;
    change(params);
    return !RequestSampling::make(params, 10).ok();
  };
  BOOST_TEST(!refused([](SamplingParams&) {}));
  BOOST_TEST(refused([](SamplingParams& p) { p.temperature = -1; }));
  BOOST_TEST(refused([](SamplingParams& p) { p.temperature = kNan; }));
  BOOST_TEST(refused([](SamplingParams& p) { p.top_p = kInf; }));
  BOOST_TEST(refused([](SamplingParams& p) { p.min_p = 1.5F; }));
  BOOST_TEST(refused([](SamplingParams& p) { p.repetition_penalty = 0; }));
  BOOST_TEST(refused([](SamplingParams& p) { p.frequency_penalty = kNan; }));
  BOOST_TEST(refused([](SamplingParams& p) { p.logit_bias = {{10, 1}}; }));
  BOOST_TEST(refused([](SamplingParams& p) { p.logit_bias = {{-1, 1}}; }));
}

BOOST_AUTO_TEST_CASE(a_bias_or_penalty_never_lifts_a_finite_logit_to_infinity) {
  constexpr float kMost = std::numeric_limits<float>::max();
  SamplingParams bias = greedy();
  bias.logit_bias = {{1, kMost}};
  BOOST_TEST(one({5.0F, kMost, 4.0F}, bias) == 1);
  SamplingParams repetition = greedy();
  repetition.repetition_penalty = 0.5F;
  BOOST_TEST(one({5.0F, kMost, 4.0F}, repetition, {1}) == 1);
  SamplingParams frequency = greedy();
  frequency.frequency_penalty = -kMost;
  BOOST_TEST(one({5.0F, 1.0F, 4.0F}, frequency, {1, 1}) == 1);
}

BOOST_AUTO_TEST_CASE(a_bias_or_penalty_leaves_what_is_not_finite) {
  constexpr float kMost = std::numeric_limits<float>::max();
  SamplingParams params = greedy();
  params.logit_bias = {{0, kMost}, {1, kMost}, {2, kMost}};
  params.frequency_penalty = -kMost;
  BOOST_TEST(one({kNan, -kInf, kInf, 4.0F}, params, {0, 0, 1, 1, 2, 2}) == 3);
}

BOOST_AUTO_TEST_SUITE_END()
