/// f32 sums whose order depends on the length alone: four times sixteen running sums, folded in one
/// fixed tree; what is left over at the end comes last, one value after another.
#pragma once

#include <cmath>
#include <cstdint>

#include "../isa/vector.hpp"

namespace ds4::fast {

inline float dot(const float* a, const float* b, std::uint64_t n) noexcept {
  F32 s[4] = {zero(), zero(), zero(), zero()};
  std::uint64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    for (std::uint32_t j = 0; j < 4; ++j) {
      s[j] = fma(load(a + i + j * kLanes), load(b + i + j * kLanes), s[j]);
    }
  }
  for (; i + kLanes <= n; i += kLanes) s[0] = fma(load(a + i), load(b + i), s[0]);
  float total = sum((s[0] + s[1]) + (s[2] + s[3]));
  for (; i < n; ++i) total += a[i] * b[i];
  return total;
}

inline float square_sum(const float* a, std::uint64_t n) noexcept {
  return dot(a, a, n);
}

/// 1 / sqrt(mean of squares + eps); only the sum over the values is f32.
inline float inverse_rms(const float* x, std::uint64_t n, double eps) noexcept {
  return static_cast<float>(1.0 /
                            std::sqrt(double{square_sum(x, n)} / static_cast<double>(n) + eps));
}

/// y += factor * x
inline void add_scaled(float* y, float factor, const float* x, std::uint64_t n) noexcept {
  each_lanes(n, [&](auto get, auto put) { put(y, fma(all(factor), get(x), get(y))); });
}

/// y = gain * (x * factor); gain may be null, y may be x.
inline void scale_by(const float* x, float factor, const float* gain, float* y,
                     std::uint64_t n) noexcept {
  each_lanes(n, [&](auto get, auto put) {
    const F32 scaled = get(x) * all(factor);
    put(y, gain != nullptr ? get(gain) * scaled : scaled);
  });
}

/// sqrt(log(1 + e^z)) (model.md 3.12), for few values.
inline double sqrt_softplus(double z) noexcept {
  return std::sqrt(z > 20 ? z : std::log1p(std::exp(z)));
}

inline double logistic(double z) noexcept {
  return 1.0 / (1.0 + std::exp(-z));
}

}  // namespace ds4::fast
