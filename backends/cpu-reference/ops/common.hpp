/// What the op files share: weights over rows and sums in double, no op of its own.
#pragma once

#include <cmath>
#include <cstdint>

#include "../dot.hpp"
#include "cpu-common/contracts/contracts.hpp"
#include "cpu-common/loops.hpp"

namespace ds4::reference {

using namespace cpu;  // the plumbing that CPU backends share

/// Calls body(o, weights) for this thread's share of a weight's rows [from, from + n), each decoded
/// once into `buffer`.
template <class Body>
void each_weight_row(const Context& c, const ds4_weight& weight, std::uint64_t from,
                     std::uint64_t n, float* buffer, Body&& body) {
  const sdk::Part part = c.share(n);
  for (std::uint64_t o = part.begin; o < part.end; ++o) {
    body(o, weight_row(weight, from + o, buffer));
  }
}

/// 1 / sqrt(mean of squares + eps).
template <class T>
double inverse_rms(const T* x, std::uint64_t n, double eps) noexcept {
  return 1.0 / std::sqrt(square_sum(x, n) / static_cast<double>(n) + eps);
}

inline double logistic(double z) noexcept {
  return 1.0 / (1.0 + std::exp(-z));
}

}  // namespace ds4::reference
