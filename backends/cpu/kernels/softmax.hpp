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

/// A softmax over values that come in runs, as attention over tiles of rows takes it.
struct RunningMaximum {
  float maximum;
  float total;  ///< of the weights so far, relative to the maximum

  /// `sink` is a value of its own that has a weight and nothing else; null: none.
  static RunningMaximum of(const float* sink) noexcept {
    constexpr float kNone = -std::numeric_limits<float>::infinity();
    if (sink == nullptr || *sink == kNone) return {kNone, 0};
    float lanes[kLanes];
    store(lanes, exponential(all(*sink - *sink)));
    return {*sink, lanes[0]};
  }

  /// Replaces values[0 .. n) by their weights exp(scale * value - m), m the maximum from now on;
  /// gives what sums of earlier weights are to be multiplied with. All -inf: weights and factor are
  /// 0. NaN stays.
  float weigh(float* values, std::uint64_t n, float scale) noexcept {
    constexpr float kNone = -std::numeric_limits<float>::infinity();
    const float before = maximum;
    F32 highest = all(maximum);
    each_lanes(n, [&](auto get, auto put) { put(values, get(values) * all(scale)); });
    std::uint64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) highest = greatest(load(values + i), highest);
    float lanes[kLanes];
    store(lanes, highest);
    for (const float lane : lanes) maximum = lane > maximum ? lane : maximum;
    for (; i < n; ++i) maximum = values[i] > maximum ? values[i] : maximum;
    const float shift = maximum == kNone ? 0 : maximum;

    F32 sums = zero();
    float last = 0;
    for (i = 0; i + kLanes <= n; i += kLanes) {
      const F32 weight = exponential(load(values + i) - all(shift));
      store(values + i, weight);
      sums = sums + weight;
    }
    if (i != n) {
      const F32 weight = exponential(load_some(values + i, n - i) - all(shift));
      store_some(values + i, weight, n - i);
      store(lanes, weight);
      for (std::uint64_t k = 0; k < n - i; ++k) last += lanes[k];
    }
    store(lanes, exponential(all(before - shift)));
    const float factor = before == kNone ? 0 : lanes[0];
    total = total * factor + (sum(sums) + last);
    return factor;
  }
};

}  // namespace ds4::fast
