#pragma once

#include <cstdint>

#include "ds4/ops.h"

namespace ds4 {

/// What an op has to move and to multiply, whatever the backend: each weight, activation and stored
/// row once.
struct OpCost {
  double bytes = 0;
  double macs = 0;  ///< multiplications, each with its addition

  OpCost& operator+=(const OpCost& other) noexcept {
    bytes += other.bytes;
    macs += other.macs;
    return *this;
  }
};

/// How much of its weights an op uses.
struct WeightUse {
  double rows = 0;     ///< rows of the step that it takes
  double experts = 0;  ///< distinct routed experts that these choose
  double pairs = 0;    ///< rows times experts of each
};

/// The part of one weight: matrices are read once and multiplied with every row; of routed experts
/// those that are chosen are read; of tables and the embedding one row for each row.
[[nodiscard]] OpCost weight_cost(const ds4_weight_desc& weight, const WeightUse& use) noexcept;

/// Bytes of the first `rows` rows of a view, gaps left out; the outermost extent counts rows.
[[nodiscard]] double row_bytes_of(const ds4_view& view, std::uint64_t rows) noexcept;

}  // namespace ds4
