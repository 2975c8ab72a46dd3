#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.hpp"

namespace ds4 {

struct TokenLogprob {
  std::int32_t token = -1;
  double logprob = 0;
};

/// Natural logs of the softmax over raw logits (temperature 1, before masks, bias and penalties),
/// with a float64 sum.
///
/// Fills `top` with the most likely tokens by falling logit, ties to the lower id, and returns how
/// many there are (fewer if there are fewer finite logits). `chosen.token` selects the token whose
/// logprob is written into `chosen`; -inf if its logit is not finite. Allocates nothing.
/// Errors: invalid_argument (chosen outside the logits), internal (no finite logit).
Result<std::size_t> top_logprobs(std::span<const float> logits, TokenLogprob& chosen,
                                 std::span<TokenLogprob> top);

}  // namespace ds4
