/// One packed tile of sixteen weight rows against many vectors, by instructions that multiply
/// matrices, where a level has them: the sums that tiles.hpp makes, bit for bit. A block's own sum
/// is the same integer, and the f32 steps are the same ones in the same order.
#pragma once

#include <cstdint>

#include "quantise.hpp"

namespace ds4::fast {

#if defined(DS4_CPU_PANELS)
inline constexpr bool kHasPanels = true;
#else
inline constexpr bool kHasPanels = false;  ///< then nothing below has a definition
#endif

inline constexpr std::uint32_t kMostPanelColumns = 64;

/// `values` of a row; `count` columns, 1 .. kMostPanelColumns.
void q8_0_panel(const std::byte* tile, std::uint32_t values, const QuantisedVector* columns,
                std::uint32_t count, float* out) noexcept;
void q2_k_panel(const std::byte* tile, std::uint32_t values, const QuantisedVector* columns,
                std::uint32_t count, float* out) noexcept;
void iq2_xxs_panel(const std::byte* tile, std::uint32_t values, const QuantisedVector* columns,
                   std::uint32_t count, float* out) noexcept;

/// Of `count` columns, as many from the first on as panels take. Any choice gives the same bits.
constexpr std::uint32_t panel_columns(std::uint32_t count) noexcept {
#if defined(__ARM_FEATURE_MATMUL_INT8)
  return count < 2 ? 0 : count;
#else
  // Tiles hold sixteen; a rest goes to vector registers unless they read the weights twice for it.
  constexpr std::uint32_t kGroup = 16;
  constexpr std::uint32_t kFewest = 9;
  return count % kGroup >= kFewest ? count : count - count % kGroup;
#endif
}

}  // namespace ds4::fast
