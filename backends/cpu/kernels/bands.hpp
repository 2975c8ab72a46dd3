/// A *band*, kBandTiles neighbouring packed tiles, against many vectors, by vector registers: the
/// sums that tiles.hpp makes, bit for bit.
///
/// out[16 * kBandTiles * c + i] = row i of the band . vector c. The values of a row are taken in
/// runs that stay in the nearest cache: a run of weights is decoded once for all vectors, and what
/// is read of a vector serves all tiles. The totals wait in `out` meanwhile, so a row's f32 sum
/// ascends over its blocks as it does in a tile.
#pragma once

#include <algorithm>
#include <cstdint>

#include "../isa/bytes.hpp"
#include "quantise.hpp"
#include "tiles.hpp"

namespace ds4::fast {

/// Tiles of a band, and columns that meet one at a time: their sums fill the vector registers.
#if defined(__AVX512F__)
inline constexpr std::uint32_t kBandTiles = 2;
inline constexpr std::uint32_t kBandColumns = 8;
#elif defined(__AVX2__) || defined(__ARM_NEON)
inline constexpr std::uint32_t kBandTiles = 1;
inline constexpr std::uint32_t kBandColumns = 4;
#else
inline constexpr std::uint32_t kBandTiles = 1;
inline constexpr std::uint32_t kBandColumns = 1;
#endif
inline constexpr std::uint32_t kBandRows = kLanes * kBandTiles;
inline constexpr std::uint32_t kMostBandColumns = 64;

/// Vectors of a band, quantised: their records, all of one layout.
struct QuantisedColumns {
  QuantisedLayout layout;
  const std::byte* const* records;
  std::uint32_t count;  ///< 1 .. kMostBandColumns
};

/// `values` of a row; `tile_bytes` from one tile to the next.
void q8_0_band(const std::byte* tiles, std::uint64_t tile_bytes, std::uint32_t values,
               const QuantisedColumns& columns, float* out) noexcept;
void q2_k_band(const std::byte* tiles, std::uint64_t tile_bytes, std::uint32_t values,
               const QuantisedColumns& columns, float* out) noexcept;
void iq2_xxs_band(const std::byte* tiles, std::uint64_t tile_bytes, std::uint32_t values,
                  const QuantisedColumns& columns, float* out) noexcept;
/// `count` f32 vectors, 1 .. kMostBandColumns.
void f16_band(const std::byte* tiles, std::uint64_t tile_bytes, std::uint32_t values,
              const float* const* columns, std::uint32_t count, float* out) noexcept;

}  // namespace ds4::fast
