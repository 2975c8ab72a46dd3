/// Loops over the rows and vectors of a range, and the work they are.
#pragma once

#include <cstdint>

#include "context.hpp"

namespace ds4::cpu {

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

inline std::uint64_t elementwise_work(std::uint64_t rows, const ds4_view& view) noexcept {
  return sdk::sat_mul(rows, sdk::sat_mul(vectors_of(view), width_of(view)));
}

}  // namespace ds4::cpu
