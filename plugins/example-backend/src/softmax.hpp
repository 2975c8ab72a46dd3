// What the softmax of pooling and of attention have in common.
#pragma once

#include <cmath>
#include <limits>

namespace example {

inline constexpr double kNone = -std::numeric_limits<double>::infinity();

// e^(x - m) where m is the maximum of what is summed; a maximum of -inf means there is nothing.
inline double weight_of(double x, double maximum) noexcept {
  return std::exp(x - (maximum == kNone ? 0 : maximum));
}

}  // namespace example
