#include "tiles_are_right.hpp"

#include "column_sums.hpp"
#include "panels.hpp"

namespace ds4::fast {

/// A whole and a smaller group of columns, every operand byte different from its neighbours,
/// against sums in plain code.
bool tiles_are_right() noexcept {
  constexpr std::uint32_t kDepth = 64;
  constexpr std::uint32_t kColumns = 16 + 3;
  alignas(64) std::int8_t values[kColumns][kDepth];
  alignas(64) std::uint8_t weights[kDepth / 4][4 * kLanes];
  QuantisedVector columns[kColumns] = {};
  for (std::uint32_t c = 0; c < kColumns; ++c) {
    for (std::uint32_t k = 0; k < kDepth; ++k) {
      values[c][k] = static_cast<std::int8_t>(static_cast<int>((c * 37 + k * 11) % 255) - 127);
    }
    columns[c].q = values[c];
  }
  for (std::uint32_t i = 0; i < sizeof weights; ++i) {
    weights[i / 64][i % 64] = static_cast<std::uint8_t>(i * 29 + i / 64);
  }
  alignas(64) std::int32_t sums[kLanes * kColumns];
  {
    ColumnSums<kDepth> products(columns, kColumns);
    products.start();
    products.add(0, reinterpret_cast<const std::byte*>(weights));
    products.store(sums);
  }
  for (std::uint32_t c = 0; c < kColumns; ++c) {
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
      std::int32_t sum = 0;
      for (std::uint32_t k = 0; k < kDepth; ++k) {
        sum += values[c][k] * weights[k / 4][4 * lane + k % 4];
      }
      if (sums[kLanes * c + lane] != sum) return false;
    }
  }
  return true;
}

}  // namespace ds4::fast
