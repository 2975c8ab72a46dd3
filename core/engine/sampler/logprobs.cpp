#include "engine/sampler/logprobs.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ds4 {

Result<std::size_t> top_logprobs(std::span<const float> logits, TokenLogprob& chosen,
                                 std::span<TokenLogprob> top) {
  if (chosen.token < 0 || static_cast<std::size_t>(chosen.token) >= logits.size()) {
    return fail(Errc::invalid_argument, "logprobs: expected a token below ", logits.size(),
                ", found ", chosen.token);
  }
  std::size_t count = 0;
  float most = -std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const float logit = logits[i];
    if (!std::isfinite(logit)) continue;
    most = std::max(most, logit);
    if (top.empty()) continue;
    if (count == top.size() && static_cast<double>(logit) <= top[count - 1].logprob) continue;
    // Insertion behind equal logits keeps ties in the order of ids.
    std::size_t at = count < top.size() ? count++ : count - 1;
    for (; at > 0 && top[at - 1].logprob < static_cast<double>(logit); --at) top[at] = top[at - 1];
    top[at] = {static_cast<std::int32_t>(i), static_cast<double>(logit)};
  }
  if (!std::isfinite(most)) {
    return fail(Errc::internal, "none of the ", logits.size(), " logits is finite");
  }
  double sum = 0;
  for (const float logit : logits) {
    if (std::isfinite(logit))
      sum += std::exp(static_cast<double>(logit) - static_cast<double>(most));
  }
  const double log_sum = static_cast<double>(most) + std::log(sum);
  for (std::size_t i = 0; i < count; ++i) top[i].logprob -= log_sum;
  const float logit = logits[static_cast<std::size_t>(chosen.token)];
  chosen.logprob = std::isfinite(logit) ? static_cast<double>(logit) - log_sum
                                        : -std::numeric_limits<double>::infinity();
  return count;
}

}  // namespace ds4
