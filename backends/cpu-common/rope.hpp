/// RoPE of the last `dims` values of a vector, adjacent pairs (model.md 3.5).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "ds4/ops.h"

namespace ds4::cpu {

/// f_i for pair i: double, rounded to f32 once.
inline void rope_frequencies(const ds4_rope& rope, float* out) noexcept {
  const double dims = rope.dims;
  double low = 0;
  double high = 0;
  const bool has_yarn = (rope.flags & DS4_ROPE_YARN) != 0;
  if (has_yarn) {
    // The pair that turns n times within the original context.
    const auto pair_of = [&](double turns) {
      return dims * std::log(rope.original_context / (2 * std::numbers::pi * turns)) /
             (2 * std::log(rope.base));
    };
    low = std::max(std::floor(pair_of(rope.beta_fast)), 0.0);
    high = std::min(std::ceil(pair_of(rope.beta_slow)), dims - 1);
    if (low == high) high += 0.001;
  }
  for (std::uint32_t i = 0; i < rope.dims / 2; ++i) {
    const double plain = std::pow(rope.base, -2.0 * i / dims);
    double f = plain;
    if (has_yarn) {
      const double ramp = std::clamp((i - low) / (high - low), 0.0, 1.0);
      f = plain / rope.factor * ramp + plain * (1 - ramp);
    }
    out[i] = static_cast<float>(f);
  }
}

/// Cosines and sines of one position: the f32 angle is part of the model, the rest is double.
inline void rope_turns(const ds4_rope& rope, const float* frequencies, std::int32_t position,
                       double* cosines, double* sines) noexcept {
  const double sign = (rope.flags & DS4_ROPE_INVERSE) != 0 ? -1.0 : 1.0;
  for (std::uint32_t i = 0; i < rope.dims / 2; ++i) {
    const float angle = static_cast<float>(position) * frequencies[i];
    cosines[i] = std::cos(static_cast<double>(angle));
    sines[i] = sign * std::sin(static_cast<double>(angle));
  }
}

/// Rotates the last rope.dims of `width` values in place.
template <class T>
void rotate_tail(const ds4_rope& rope, const double* cosines, const double* sines, T* values,
                 std::uint32_t width) noexcept {
  T* tail = values + (width - rope.dims);
  for (std::uint32_t i = 0; i < rope.dims / 2; ++i) {
    const double a = tail[2 * i];
    const double b = tail[2 * i + 1];
    tail[2 * i] = static_cast<T>(a * cosines[i] - b * sines[i]);
    tail[2 * i + 1] = static_cast<T>(a * sines[i] + b * cosines[i]);
  }
}

}  // namespace ds4::cpu
