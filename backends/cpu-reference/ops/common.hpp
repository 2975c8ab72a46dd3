/// What the op files share: loops over rows, weights over rows, no op of its own.
#pragma once

#include <cmath>
#include <cstdint>

#include "../context.hpp"
#include "../dot.hpp"

namespace ds4::reference {

/// Calls body(row, k) for this thread's share of rows x k vectors.
template <class Body>
void each_vector(const Context& c, const sdk::RowRange& rows, std::uint32_t k, Body&& body) {
  const sdk::Part part = c.share(std::uint64_t{rows.count} * k);
  for (std::uint64_t i = part.begin; i < part.end; ++i) {
    body(rows.first + static_cast<std::uint32_t>(i / k), static_cast<std::uint32_t>(i % k));
  }
}

/// Calls body(row) for this thread's share of the rows.
template <class Body>
void each_row(const Context& c, const sdk::RowRange& rows, Body&& body) {
  each_vector(c, rows, 1, [&](std::uint32_t r, std::uint32_t) { body(r); });
}

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

inline std::uint64_t elementwise_work(std::uint64_t rows, const ds4_view& view) noexcept {
  return sdk::sat_mul(rows, sdk::sat_mul(vectors_of(view), width_of(view)));
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
