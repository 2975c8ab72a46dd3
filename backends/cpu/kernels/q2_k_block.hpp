/// A packed block of Q2_K: where its parts lie, and how a column's integer sums become f32.
#pragma once

#include "../isa/bytes.hpp"
#include "quantise.hpp"

namespace ds4::fast {

inline constexpr std::uint32_t kQ2kHalves = 4 * kLanes;  ///< bytes of d and dmin, before the scales
inline constexpr std::uint32_t kQ2kBlock = 84 * kLanes;

/// d and dmin of sixteen rows.
struct Q2kScales {
  F32 d;
  F32 dmin;

  explicit Q2kScales(const std::byte* block) noexcept
      : d(load_halves(block)), dmin(load_halves(block + 2 * kLanes)) {}

  /// The minima of the block's groups times the sums of the column's sixteens.
  static I32 minima(const Bytes64 (&scales)[4], const QuantisedVector& column,
                    std::uint64_t block) noexcept {
    I32 high = all_int(0);
    I32 low = all_int(0);
    for (std::uint32_t q = 0; q < 4; ++q) {
      const Bytes64 each = high_nibbles(scales[q]);
      high = dot4(high, each, column.high + 16 * block + 4 * q);
      low = dot4(low, each, column.low + 16 * block + 4 * q);
    }
    return high * all_int(64) + low;
  }

  /// total and the block's part of it, of a column with scale `column`.
  [[nodiscard]] F32 add(F32 total, I32 sum, I32 minimum, float column) const noexcept {
    const F32 scale = all(column);
    const F32 with_sum = fma(to_f32(sum), d * scale, total);
    return with_sum - to_f32(minimum) * (dmin * scale);
  }
};

}  // namespace ds4::fast
