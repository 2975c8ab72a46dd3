#include "engine/sampler/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace ds4 {
namespace {

constexpr float kBanned = -std::numeric_limits<float>::infinity();
constexpr float kBanBias = -100.0F;
constexpr float kMost = std::numeric_limits<float>::max();

Result<void> check_range(const char* name, float value, float low, float high) {
  if (value >= low && value <= high) return {};  // false for NaN
  return fail(Errc::invalid_argument, name, ": expected ", low, " to ", high, ", found ", value);
}

// A finite logit that a bias or penalty lifts beyond the largest float stays finite: infinite, it
// would count as broken output. What the model itself gives as NaN or infinite stays what it is.
float raised(float before, float after) noexcept {
  return std::isfinite(before) ? std::min(after, kMost) : before;
}

}  // namespace

RandomStream::RandomStream(std::uint64_t seed) noexcept
    : state_(seed != 0 ? seed : 0x9E3779B97F4A7C15ULL) {}

double RandomStream::uniform() noexcept {
  state_ ^= state_ >> 12U;
  state_ ^= state_ << 25U;
  state_ ^= state_ >> 27U;
  const std::uint64_t bits = (state_ * 0x2545F4914F6CDD1DULL) >> 40U;
  return static_cast<double>(bits) / 16777216.0;
}

RequestSampling::RequestSampling(SamplingParams params, std::uint32_t vocab)
    : params_(std::move(params)), vocab_(vocab), random_(params_.seed) {
  if (has_penalties()) {
    counts_.assign(vocab, 0);
    seen_.reserve(vocab);
  }
}

Result<RequestSampling> RequestSampling::make(SamplingParams params, std::uint32_t vocab) {
  DS4_CHECK(check_range("temperature", params.temperature, 0.0F, kMost));
  DS4_CHECK(check_range("top_p", params.top_p, -kMost, kMost));
  DS4_CHECK(check_range("min_p", params.min_p, 0.0F, 1.0F));
  DS4_CHECK(check_range("presence_penalty", params.presence_penalty, -kMost, kMost));
  DS4_CHECK(check_range("frequency_penalty", params.frequency_penalty, -kMost, kMost));
  DS4_CHECK(check_range("repetition_penalty", params.repetition_penalty, 1e-3F, kMost));
  for (const LogitBias& bias : params.logit_bias) {
    if (bias.token < 0 || static_cast<std::uint32_t>(bias.token) >= vocab) {
      return fail(Errc::invalid_argument, "logit_bias: expected a token id below ", vocab,
                  ", found ", bias.token);
    }
    DS4_CHECK(check_range("logit_bias", bias.bias, -kMost, kMost));
  }
  return RequestSampling(std::move(params), vocab);
}

bool RequestSampling::has_penalties() const noexcept {
  return params_.presence_penalty != 0.0F || params_.frequency_penalty != 0.0F ||
         params_.repetition_penalty != 1.0F;
}

void RequestSampling::accept(std::int32_t token) noexcept {
  if (token < 0 || static_cast<std::size_t>(token) >= counts_.size()) return;
  // Each token enters `seen_` once, and it has room for all.
  if (counts_[static_cast<std::size_t>(token)]++ == 0) seen_.push_back(token);
}

Sampler::Sampler(std::uint32_t vocab) : logits_(vocab), weights_(vocab) {
  candidates_.reserve(vocab);
}

void Sampler::adjust(const RequestSampling& request) {
  const SamplingParams& params = request.params_;
  for (const LogitBias& bias : params.logit_bias) {
    float& logit = logits_[static_cast<std::size_t>(bias.token)];
    logit = bias.bias <= kBanBias ? kBanned : raised(logit, logit + bias.bias);
  }
  for (const std::int32_t token : request.seen_) {
    float& logit = logits_[static_cast<std::size_t>(token)];
    const auto count = static_cast<float>(request.counts_[static_cast<std::size_t>(token)]);
    logit = raised(logit, logit - (params.presence_penalty + params.frequency_penalty * count));
    logit = raised(
        logit, logit > 0 ? logit / params.repetition_penalty : logit * params.repetition_penalty);
  }
}

Result<std::int32_t> Sampler::argmax() const {
  std::size_t best = logits_.size();
  float most = kBanned;
  for (std::size_t i = 0; i < logits_.size(); ++i) {
    if (logits_[i] > most && logits_[i] <= std::numeric_limits<float>::max()) {
      most = logits_[i];
      best = i;
    }
  }
  if (best == logits_.size()) {
    return fail(Errc::internal, "none of the ", logits_.size(),
                " logits is finite and allowed; the model's output is broken or everything is "
                "masked");
  }
  return static_cast<std::int32_t>(best);
}

Result<std::int32_t> Sampler::sample(std::span<const float> logits, RequestSampling& request,
                                     SamplingMode mode, std::span<const std::int32_t> banned) {
  if (logits.size() != logits_.size() || request.vocab_ != logits_.size()) {
    return fail(Errc::invalid_argument, "sampler: expected ", logits_.size(), " logits, found ",
                logits.size(), " and a request for ", request.vocab_);
  }
  std::copy(logits.begin(), logits.end(), logits_.begin());
  for (const std::int32_t token : banned) {
    if (token >= 0 && static_cast<std::size_t>(token) < logits_.size()) {
      logits_[static_cast<std::size_t>(token)] = kBanned;
    }
  }
  const SamplingParams& params = request.params_;
  if (mode == SamplingMode::greedy) return argmax();
  adjust(request);
  if (params.temperature == 0.0F) return argmax();
  const bool limits_k = params.top_k > 0 && params.top_k < logits_.size();
  const bool limits_p = params.top_p > 0.0F && params.top_p < 1.0F;
  return limits_k || limits_p ? draw_ordered(params, request.random_)
                              : draw_unordered(params, request.random_);
}

// Only min_p limits the choice: its threshold is relative to the best token, so the tokens can stay
// in the order of their ids.
Result<std::int32_t> Sampler::draw_unordered(const SamplingParams& params, RandomStream& random) {
  DS4_TRY(const std::int32_t best, argmax());
  const double most = logits_[static_cast<std::size_t>(best)];
  const double scale = 1.0 / static_cast<double>(params.temperature);
  const auto min_p = static_cast<double>(params.min_p);
  // Saves the exponential of most tokens; the margin leaves the border to the exact comparison.
  const double negligible = std::log(min_p) - 1e-6;  // -inf without min_p
  candidates_.clear();
  double sum = 0;
  for (std::size_t i = 0; i < logits_.size(); ++i) {
    const float logit = logits_[i];
    if (!std::isfinite(logit)) continue;
    const double exponent = (static_cast<double>(logit) - most) * scale;
    if (exponent < negligible) continue;
    const double weight = std::exp(exponent);
    if (weight < min_p || weight == 0) continue;
    weights_[candidates_.size()] = weight;
    candidates_.push_back({logit, static_cast<std::int32_t>(i)});
    sum += weight;
  }
  return pick(random.uniform() * sum);
}

// top_k, top_p and min_p each keep a prefix of the tokens by falling logit, so the result is the
// shortest of the three. A heap gives that order only as far as it is needed.
Result<std::int32_t> Sampler::draw_ordered(const SamplingParams& params, RandomStream& random) {
  DS4_TRY(const std::int32_t best, argmax());
  const double most = logits_[static_cast<std::size_t>(best)];
  const double scale = 1.0 / static_cast<double>(params.temperature);
  const auto weight_of = [&](float logit) {
    return std::exp((static_cast<double>(logit) - most) * scale);
  };
  const bool limits_p = params.top_p > 0.0F && params.top_p < 1.0F;
  const auto after = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit < b.logit : a.token > b.token;
  };
  candidates_.clear();
  for (std::size_t i = 0; i < logits_.size(); ++i) {
    if (std::isfinite(logits_[i])) {
      candidates_.push_back({logits_[i], static_cast<std::int32_t>(i)});
    }
  }
  const std::size_t limit = params.top_k == 0
                                ? candidates_.size()
                                : std::min<std::size_t>(params.top_k, candidates_.size());
  double total = 0;  // the softmax sum that top_p refers to: over what top_k leaves
  if (limits_p) {
    if (limit < candidates_.size()) {
      std::nth_element(candidates_.begin(),
                       candidates_.begin() + static_cast<std::ptrdiff_t>(limit), candidates_.end(),
                       [&](const auto& a, const auto& b) { return after(b, a); });
      candidates_.resize(limit);
    }
    for (const Candidate& candidate : candidates_) total += weight_of(candidate.logit);
    // All tokens below this weight together hold less than what top_p leaves out, and min_p drops
    // what is below its own; neither needs a place in the order. The factor covers rounding.
    const double left_out = (1.0 - static_cast<double>(params.top_p)) * total;
    const double floor = std::max(0.999 * left_out / static_cast<double>(candidates_.size()),
                                  0.999 * static_cast<double>(params.min_p));
    const double least = most + std::log(floor) / scale;
    std::erase_if(candidates_, [&](const Candidate& candidate) {
      return static_cast<double>(candidate.logit) < least;
    });
  }
  std::make_heap(candidates_.begin(), candidates_.end(), after);
  const std::size_t count = candidates_.size();
  double sum = 0;
  std::size_t kept = 0;
  while (kept < std::min(limit, count)) {
    const double weight = weight_of(candidates_.front().logit);
    if (kept > 0 && (weight < static_cast<double>(params.min_p) || weight == 0)) break;
    std::pop_heap(candidates_.begin(), candidates_.end() - static_cast<std::ptrdiff_t>(kept),
                  after);
    weights_[kept++] = weight;
    sum += weight;
    if (limits_p && sum >= static_cast<double>(params.top_p) * total) break;
  }
  // The heap leaves the popped tokens at the end, the last one first.
  std::reverse(candidates_.begin() + static_cast<std::ptrdiff_t>(count - kept), candidates_.end());
  candidates_.erase(candidates_.begin(),
                    candidates_.begin() + static_cast<std::ptrdiff_t>(count - kept));
  return pick(random.uniform() * sum);
}

std::int32_t Sampler::pick(double target) const noexcept {
  double sum = 0;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    sum += weights_[i];
    if (target < sum) return candidates_[i].token;
  }
  return candidates_.back().token;
}

}  // namespace ds4
