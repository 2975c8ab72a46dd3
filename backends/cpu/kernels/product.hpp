/// Products of weight rows with activations, in tiles of sixteen weight rows.
///
/// Every output is one sum whose order depends on the weight's format and width alone, so a vector
/// gets the same bits alone and among others, on one thread and on many.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "activations.hpp"
#include "cpu-common/context.hpp"
#include "quantise.hpp"

namespace ds4::fast {

inline constexpr std::uint32_t kTileRows = 16;
/// Vectors and tiles that one call of tile_product takes at most.
inline constexpr std::uint32_t kMostColumns = 64;
inline constexpr std::uint32_t kMostTiles = 2;

/// What products of one op need: room for the largest of them.
struct ProductScratch {
  std::byte* records[kRecordKinds] = {};  ///< shared: quantised vectors, a kind each
  float* row = nullptr;                   ///< local: a decoded weight row

  /// `vectors` different vectors of at most `width` values.
  ProductScratch(cpu::Arena& shared, cpu::Arena& local, std::uint64_t width, std::uint64_t vectors)
      : row(local.take<float>(width)) {
    for (std::byte*& kind : records) {
      kind = shared.take<std::byte>(vectors, QuantisedLayout(width).bytes);
    }
  }
};

/// The vectors of a product, in every form that its weights ask for.
struct Operand {
  Activations x;
  QuantisedLayout layout{0};
  const std::byte* records[kRecordKinds] = {};  ///< of each kind that a weight asks for
  std::uint32_t repeats = 1;  ///< that many vectors of x in a row are the same one
  float* row = nullptr;

  [[nodiscard]] const std::byte* record(Quantum quantum, std::uint32_t i) const noexcept {
    return records[kind_of(quantum)] + (repeats == 1 ? i : i / repeats) * layout.bytes;
  }
  /// No weight asks for a record.
  [[nodiscard]] bool is_f32() const noexcept {
    return std::ranges::all_of(records, [](const std::byte* kind) { return kind == nullptr; });
  }
  [[nodiscard]] QuantisedVector quantised(Quantum quantum, std::uint32_t i) const noexcept {
    return layout.at(record(quantum, i));
  }
};

/// How the kernel for this weight wants its activations.
Quantum quantum_of(const ds4_weight& weight) noexcept;

/// Brings the vectors into the forms that the weights ask for, all threads together, and waits for
/// all of it. `x` must be complete, and nobody may still read an operand of the same scratch.
Operand make_operand(const cpu::Context& c, const ProductScratch& scratch, const Activations& x,
                     std::initializer_list<const ds4_weight*> weights) noexcept;
/// The same for a product that takes the vectors `only` of x, each different, and no other.
Operand make_operand(const cpu::Context& c, const ProductScratch& scratch, const Activations& x,
                     std::initializer_list<const ds4_weight*> weights,
                     std::span<const std::uint32_t> only) noexcept;

/// Tiles that `rows` weight rows make.
inline std::uint64_t tiles_of(std::uint64_t rows) noexcept {
  return (rows + kTileRows - 1) / kTileRows;
}

/// Tiles that a call of tile_product had best take where `count` vectors meet the weight.
std::uint32_t tiles_at_once(const ds4_weight& weight, std::uint32_t count) noexcept;

/// out[16 * tiles_of(rows) * c + i] = weight row (first + i) . vector columns[c], for `rows` of as
/// many tiles as tiles_at_once says at most, and `count` <= kMostColumns vectors. `first` begins
/// a tile.
void tile_product(const ds4_weight& weight, std::uint64_t first, std::uint32_t rows,
                  const Operand& x, const std::uint32_t* columns, std::uint32_t count,
                  float* out) noexcept;

/// The weight rows that each_product gives this thread: whole tiles, always the same ones.
inline sdk::Part share_of_rows(const cpu::Context& c, std::uint64_t rows) noexcept {
  const sdk::Part tiles = c.share(tiles_of(rows));
  return {std::min(tiles.begin * kTileRows, rows), std::min(tiles.end * kTileRows, rows)};
}

/// Vectors of x that the rows of a weight meet before the next ones: as many as stay in the second
/// cache, since all of them are read for each few tiles.
inline std::uint32_t vectors_at_once(const Operand& x) noexcept {
  constexpr std::uint64_t kBytes = 768 << 10;
  const std::uint64_t bytes = x.is_f32() ? std::uint64_t{x.x.width} * 4 : x.layout.bytes;
  const std::uint64_t runs = kBytes / (std::max<std::uint64_t>(bytes, 64) * kMostColumns);
  return kMostColumns * static_cast<std::uint32_t>(std::max<std::uint64_t>(runs, 1));
}

/// Calls body(o, n, i, sums) for the tiles `part` of the weight's rows [from, from + rows) and for
/// vectors column(i) of x, i = 0 .. count - 1: sums[0 .. n) belong to rows o .. o + n - 1, counted
/// from `from`; n is 16 * kMostTiles at most.
template <class Column, class Body>
void each_tile_product(const ds4_weight& weight, std::uint64_t from, std::uint64_t rows,
                       const sdk::Part& part, const Operand& x, std::uint32_t count,
                       Column&& column, Body&& body) {
  float sums[kTileRows * kMostTiles * kMostColumns];
  std::uint32_t columns[kMostColumns];
  const std::uint64_t at_once = std::uint64_t{kTileRows} * tiles_at_once(weight, count);
  const std::uint64_t end = std::min(part.end * kTileRows, rows);
  const std::uint32_t together = vectors_at_once(x);
  for (std::uint32_t first = 0; first < count; first += together) {
    const std::uint32_t last = std::min(first + together, count);
    for (std::uint64_t o = part.begin * kTileRows; o < end; o += at_once) {
      const auto n = static_cast<std::uint32_t>(std::min(at_once, end - o));
      const std::uint64_t stride = kTileRows * tiles_of(n);
      for (std::uint32_t begin = first; begin < last; begin += kMostColumns) {
        const std::uint32_t some = std::min(kMostColumns, last - begin);
        for (std::uint32_t i = 0; i < some; ++i) columns[i] = column(begin + i);
        tile_product(weight, from + o, n, x, columns, some, sums);
        for (std::uint32_t i = 0; i < some; ++i) body(o, n, begin + i, sums + stride * i);
      }
    }
  }
}

/// Calls body(o, n, c, sums) for this thread's share of the weight's rows [from, from + rows) and
/// for vectors first, first + step, ... of x, counted c = 0, 1, ...; otherwise like
/// each_tile_product.
template <class Body>
void each_product_step(const cpu::Context& c, const ds4_weight& weight, std::uint64_t from,
                       std::uint64_t rows, const Operand& x, std::uint32_t first,
                       std::uint32_t step, Body&& body) {
  each_tile_product(
      weight, from, rows, c.share(tiles_of(rows)), x, x.x.count / step,
      [first, step](std::uint32_t i) { return first + i * step; }, body);
}

/// The same for every vector of x.
template <class Body>
void each_product(const cpu::Context& c, const ds4_weight& weight, std::uint64_t from,
                  std::uint64_t rows, const Operand& x, Body&& body) {
  each_product_step(c, weight, from, rows, x, 0, 1, body);
}

/// y[c][o] = weight row (from + o) . vector c, for this thread's share of the rows; vector c of y
/// begins at y + c * stride.
inline void product(const cpu::Context& c, const ds4_weight& weight, std::uint64_t from,
                    std::uint64_t rows, const Operand& x, float* y, std::uint64_t stride) {
  each_product(c, weight, from, rows, x,
               [&](std::uint64_t o, std::uint32_t n, std::uint32_t i, const float* sums) {
                 std::copy_n(sums, n, y + i * stride + o);
               });
}

}  // namespace ds4::fast
