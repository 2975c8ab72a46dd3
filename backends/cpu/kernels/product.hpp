/// Products of weight rows with activations, in tiles of sixteen weight rows.
///
/// Every output is one sum whose order depends on the weight's format and width alone, so a vector
/// gets the same bits alone and among others, on one thread and on many.
#pragma once

#include <algorithm>
#include <cstdint>

#include "activations.hpp"
#include "cpu-common/context.hpp"

namespace ds4::fast {

inline constexpr std::uint32_t kTileRows = 16;
/// Vectors that one call of tile_product takes at most.
inline constexpr std::uint32_t kMostColumns = 64;

/// What a product needs besides its operands.
struct ProductScratch {
  float* row = nullptr;  ///< local: a decoded weight row

  ProductScratch() = default;
  ProductScratch(cpu::Arena&, cpu::Arena& local, std::uint64_t width)
      : row(local.take<float>(width)) {}
};

/// out[16 * c + i] = weight row (first + i) . vector columns[c], for `rows` <= 16 rows and `count`
/// <= kMostColumns vectors; columns null: vectors from, from + 1, ...
void tile_product(const ds4_weight& weight, std::uint64_t first, std::uint32_t rows,
                  const Activations& x, const std::uint32_t* columns, std::uint32_t from,
                  std::uint32_t count, const ProductScratch& scratch, float* out) noexcept;

/// Tiles that `rows` weight rows make.
inline std::uint64_t tiles_of(std::uint64_t rows) noexcept {
  return (rows + kTileRows - 1) / kTileRows;
}

/// The weight rows that each_product gives this thread: whole tiles, always the same ones.
inline sdk::Part share_of_rows(const cpu::Context& c, std::uint64_t rows) noexcept {
  const sdk::Part tiles = c.share(tiles_of(rows));
  return {std::min(tiles.begin * kTileRows, rows), std::min(tiles.end * kTileRows, rows)};
}

/// Calls body(o, n, c, sums) for this thread's share of the weight's rows [from, from + rows) and
/// for every vector c of x: sums[0 .. n) belong to rows o .. o + n - 1, counted from `from`.
template <class Body>
void each_product(const cpu::Context& c, const ds4_weight& weight, std::uint64_t from,
                  std::uint64_t rows, const Activations& x, const ProductScratch& scratch,
                  Body&& body) {
  const sdk::Part part = c.share(tiles_of(rows));
  float sums[kTileRows * kMostColumns];
  for (std::uint64_t t = part.begin; t < part.end; ++t) {
    const std::uint64_t o = t * kTileRows;
    const auto n = static_cast<std::uint32_t>(std::min<std::uint64_t>(kTileRows, rows - o));
    for (std::uint32_t begin = 0; begin < x.count; begin += kMostColumns) {
      const std::uint32_t count = std::min(kMostColumns, x.count - begin);
      tile_product(weight, from + o, n, x, nullptr, begin, count, scratch, sums);
      for (std::uint32_t i = 0; i < count; ++i) body(o, n, begin + i, sums + kTileRows * i);
    }
  }
}

/// y[c][o] = weight row (from + o) . vector c, for this thread's share of the rows; vector c of y
/// begins at y + c * stride.
inline void product(const cpu::Context& c, const ds4_weight& weight, std::uint64_t from,
                    std::uint64_t rows, const Activations& x, const ProductScratch& scratch,
                    float* y, std::uint64_t stride) {
  each_product(c, weight, from, rows, x, scratch,
               [&](std::uint64_t o, std::uint32_t n, std::uint32_t i, const float* sums) {
                 std::copy_n(sums, n, y + i * stride + o);
               });
}

}  // namespace ds4::fast
