/// The two products of attention over a tile of decoded rows, several heads at once in registers:
/// logits = queries . rows, and values = values * factor + weights . rows.
///
/// Every sum is one chain of sixteen lanes in the order of the dims or of the rows, whatever block
/// of heads and rows it is computed in, so a head's bits do not depend on how heads are shared out.
#pragma once

#include <cstdint>

#include "../isa/vector.hpp"

namespace ds4::fast {

/// Rows of a tile. 64 rows of 512 values take 132 KiB: they stay in a second-level cache, and a
/// running maximum is brought up to date rarely enough.
inline constexpr std::uint32_t kTileEntries = 64;
/// Rows that one pass over the heads takes in logits(): 33 KiB, what a first-level cache holds.
inline constexpr std::uint32_t kNearEntries = 16;

/// Heads and rows (or sixteens of dims) of a block: as many sums as the level has registers for.
#if defined(__AVX512F__)
inline constexpr std::uint32_t kBlockHeads = 4;
inline constexpr std::uint32_t kBlockEntries = 4;
#elif defined(__AVX2__) || defined(__ARM_NEON)
inline constexpr std::uint32_t kBlockHeads = 2;
inline constexpr std::uint32_t kBlockEntries = 2;
#else
inline constexpr std::uint32_t kBlockHeads = 2;
inline constexpr std::uint32_t kBlockEntries = 1;
#endif

/// Distance between rows of a tile in values: not a multiple of a page's half, or columns of many
/// rows would fight for few sets of a cache. Rows begin at whole cache lines.
constexpr std::uint64_t tile_stride(std::uint64_t width) noexcept {
  return (width + kLanes - 1) / kLanes * kLanes + kLanes;
}

struct EntryTile {
  const float* rows;
  std::uint64_t stride;
  std::uint32_t count;
  std::uint32_t width;
};

/// out[h * kTileEntries + e] for a block of H heads and E rows.
template <std::uint32_t H, std::uint32_t E>
inline void logits_block(const float* const* queries, const EntryTile& tile, std::uint32_t e,
                         float* out) noexcept {
  F32 sums[H][E];
  for (std::uint32_t h = 0; h < H; ++h) {
    for (std::uint32_t k = 0; k < E; ++k) sums[h][k] = zero();
  }
  const float* row = tile.rows + e * tile.stride;
  std::uint32_t d = 0;
  for (; d + kLanes <= tile.width; d += kLanes) {
    F32 x[E];
    for (std::uint32_t k = 0; k < E; ++k) x[k] = load(row + k * tile.stride + d);
    for (std::uint32_t h = 0; h < H; ++h) {
      const F32 q = load(queries[h] + d);
      for (std::uint32_t k = 0; k < E; ++k) sums[h][k] = fma(q, x[k], sums[h][k]);
    }
  }
  for (std::uint32_t h = 0; h < H; ++h) {
    for (std::uint32_t k = 0; k < E; ++k) {
      float total = sum(sums[h][k]);
      for (std::uint32_t i = d; i < tile.width; ++i) {
        total += queries[h][i] * row[k * tile.stride + i];
      }
      out[h * kTileEntries + e + k] = total;
    }
  }
}

template <std::uint32_t H>
inline void logits_near(const float* const* queries, const EntryTile& tile, std::uint32_t begin,
                        std::uint32_t end, float* out) noexcept {
  std::uint32_t e = begin;
  for (; e + kBlockEntries <= end; e += kBlockEntries) {
    logits_block<H, kBlockEntries>(queries, tile, e, out);
  }
  for (; e < end; ++e) logits_block<H, 1>(queries, tile, e, out);
}

/// out[h * kTileEntries + e] = queries[h] . row e, not scaled.
inline void logits(const float* const* queries, std::uint32_t heads, const EntryTile& tile,
                   float* out) noexcept {
  for (std::uint32_t near = 0; near < tile.count; near += kNearEntries) {
    const std::uint32_t end = near + kNearEntries < tile.count ? near + kNearEntries : tile.count;
    std::uint32_t h = 0;
    for (; h + kBlockHeads <= heads; h += kBlockHeads) {
      logits_near<kBlockHeads>(queries + h, tile, near, end, out + h * kTileEntries);
    }
    for (; h < heads; ++h) {
      logits_near<1>(queries + h, tile, near, end, out + h * kTileEntries);
    }
  }
}

/// D sixteens of dims from d on, for H heads.
template <std::uint32_t H, std::uint32_t D>
inline void values_block(const float* weights, const float* factors, const EntryTile& tile,
                         std::uint32_t d, float* const* out) noexcept {
  F32 sums[H][D];
  for (std::uint32_t h = 0; h < H; ++h) {
    for (std::uint32_t k = 0; k < D; ++k) {
      sums[h][k] = load(out[h] + d + k * kLanes) * all(factors[h]);
    }
  }
  const float* row = tile.rows + d;
  for (std::uint32_t e = 0; e < tile.count; ++e, row += tile.stride) {
    F32 x[D];
    for (std::uint32_t k = 0; k < D; ++k) x[k] = load(row + k * kLanes);
    for (std::uint32_t h = 0; h < H; ++h) {
      const F32 weight = all(weights[h * kTileEntries + e]);
      for (std::uint32_t k = 0; k < D; ++k) sums[h][k] = fma(weight, x[k], sums[h][k]);
    }
  }
  for (std::uint32_t h = 0; h < H; ++h) {
    for (std::uint32_t k = 0; k < D; ++k) store(out[h] + d + k * kLanes, sums[h][k]);
  }
}

template <std::uint32_t D>
inline void values_columns(const float* weights, const float* factors, std::uint32_t heads,
                           const EntryTile& tile, std::uint32_t d, float* const* out) noexcept {
  std::uint32_t h = 0;
  for (; h + kBlockHeads <= heads; h += kBlockHeads) {
    values_block<kBlockHeads, D>(weights + h * kTileEntries, factors + h, tile, d, out + h);
  }
  for (; h < heads; ++h) {
    values_block<1, D>(weights + h * kTileEntries, factors + h, tile, d, out + h);
  }
}

/// out[h] = out[h] * factors[h] + sum over e of weights[h * kTileEntries + e] * row e.
inline void values(const float* weights, const float* factors, std::uint32_t heads,
                   const EntryTile& tile, float* const* out) noexcept {
  std::uint32_t d = 0;
  for (; d + kBlockEntries * kLanes <= tile.width; d += kBlockEntries * kLanes) {
    values_columns<kBlockEntries>(weights, factors, heads, tile, d, out);
  }
  for (; d + kLanes <= tile.width; d += kLanes) {
    values_columns<1>(weights, factors, heads, tile, d, out);
  }
  for (; d < tile.width; ++d) {
    for (std::uint32_t h = 0; h < heads; ++h) {
      float total = out[h][d] * factors[h];
      for (std::uint32_t e = 0; e < tile.count; ++e) {
        total += weights[h * kTileEntries + e] * tile.rows[e * tile.stride + d];
      }
      out[h][d] = total;
    }
  }
}

}  // namespace ds4::fast
