/// Which of two columns goes first: larger values, then lower ids; NaN after every number.
#pragma once

#include <cstdint>
#include <limits>

namespace ds4::cpu {

/// -inf is never chosen.
inline bool is_candidate(float value) noexcept {
  return value != -std::numeric_limits<float>::infinity();
}

inline bool ranks_before(const float* x, std::int32_t a, std::int32_t b) noexcept {
  const bool a_is_nan = x[a] != x[a];
  const bool b_is_nan = x[b] != x[b];
  if (a_is_nan != b_is_nan) return b_is_nan;
  if (!a_is_nan && x[a] != x[b]) return x[a] > x[b];
  return a < b;
}

}  // namespace ds4::cpu
