/// The weights of a softmax before they are divided by their sum.
#pragma once

#include <cstdint>
#include <limits>

#include "../isa/vector.hpp"

namespace ds4::fast {

/// weights[i] = exp(scale * x[i] - m), m the maximum over all of them and `sink`, which is not
/// scaled and may be null. Gives their sum, the sink's own included; its order depends on n alone.
/// Only -inf and no sink: all weights are 0, -inf - -inf is not formed. A NaN stays. weights may be
/// x.
inline float weigh(const float* x, std::uint64_t n, float scale, const float* sink,
                   float* weights) noexcept {
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  F32 highest = all(sink != nullptr ? *sink : kNone);
  std::uint64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) highest = greatest(load(x + i) * all(scale), highest);
  float lanes[kLanes];
  store(lanes, highest);
  float maximum = kNone;
  for (const float lane : lanes) maximum = lane > maximum ? lane : maximum;
  for (; i < n; ++i) maximum = x[i] * scale > maximum ? x[i] * scale : maximum;
  const float shift = maximum == kNone ? 0 : maximum;

  F32 total = zero();
  for (i = 0; i + kLanes <= n; i += kLanes) {
    const F32 weight = exponential(load(x + i) * all(scale) - all(shift));
    store(weights + i, weight);
    total = total + weight;
  }
  float last = sum(total);
  if (i != n) {
    const F32 weight = exponential(load_some(x + i, n - i) * all(scale) - all(shift));
    store_some(weights + i, weight, n - i);
    store(lanes, weight);
    for (std::uint64_t k = 0; k < n - i; ++k) last += lanes[k];
  }
  if (sink != nullptr) {
    store(lanes, exponential(all(*sink - shift)));
    last += lanes[0];
  }
  return last;
}

}  // namespace ds4::fast
