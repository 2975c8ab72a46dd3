/// The sums of column_sums.hpp by tile registers.
///
/// The packed layouts are the operand B as they lie: a row of it holds four consecutive values of
/// sixteen weight rows. Operand A holds sixteen columns, C their sums: row c of C is what the lanes
/// of an I32 hold for column c. Groups of sixteen columns have a C each, so that their products do
/// not wait for one another; the last group may be smaller, with tiles as small.
#pragma once

#include <algorithm>

#include "../isa/bytes.hpp"
#include "../isa/tile_product.hpp"
#include "panels.hpp"

namespace ds4::fast {

template <std::uint32_t Depth>
class ColumnSums {
 public:
  static constexpr std::uint32_t kMost = kMostPanelColumns;

  ColumnSums(const QuantisedVector* columns, std::uint32_t count) noexcept
      : columns_(columns),
        count_(count),
        stride_(count > 1 ? columns[1].q - columns[0].q : std::ptrdiff_t{Depth}),
        tiles_(shapes(count)) {
    for (std::uint32_t c = 1; c < count; ++c) {
      are_even_ = are_even_ && columns[c].q - columns[c - 1].q == stride_;
    }
  }

  void start() const noexcept {
    each_group([]<int C, int A>(std::uint32_t) { zero_tile<C>(); });
  }

  /// Adds values [first, first + Depth) of every column times `weights`: Depth / 4 rows of 64
  /// bytes.
  void add(std::uint64_t first, const std::byte* weights) noexcept {
    load_tile<kWeights>(weights, 64);
    const std::int8_t* values = columns_[0].q + first;
    std::ptrdiff_t stride = stride_;
    if (!are_even_) {
      for (std::uint32_t c = 0; c < count_; ++c) {
        std::copy_n(columns_[c].q + first, Depth, gathered_ + c * Depth);
      }
      values = gathered_;
      stride = Depth;
    }
    each_group([&]<int C, int A>(std::uint32_t column) {
      load_tile<A>(values + column * stride, stride);
      multiply_tiles<C, A, kWeights>();
    });
  }

  void store(std::int32_t* sums) const noexcept {
    each_group([&]<int C, int A>(std::uint32_t column) {
      store_tile<C>(sums + std::uint64_t{kLanes} * column, 4 * kLanes);
    });
  }

 private:
  // Tiles 0 .. 3 are the groups' sums.
  static constexpr int kWhole = 4;  ///< values of sixteen columns
  static constexpr int kRest = 5;   ///< of a last, smaller group
  static constexpr int kWeights = 6;
  static constexpr std::uint32_t kGroup = 16;

  static TileShapes shapes(std::uint32_t count) noexcept {
    TileShapes out;
    for (std::uint32_t g = 0; g * kGroup < count; ++g) {
      const std::uint32_t columns = std::min(kGroup, count - g * kGroup);
      out.set(static_cast<int>(g), columns, 4 * kLanes);
      out.set(columns == kGroup ? kWhole : kRest, columns, Depth);
    }
    out.set(kWeights, Depth / 4, 4 * kLanes);
    return out;
  }

  /// Calls body.operator()<its sums, its values>(first column) for each group.
  template <int Group = 0, class Body>
  void each_group(Body&& body) const noexcept {
    constexpr std::uint32_t kFirst = Group * kGroup;
    if (count_ >= kFirst + kGroup) {
      body.template operator()<Group, kWhole>(kFirst);
      if constexpr (kFirst + kGroup < kMost) each_group<Group + 1>(body);
    } else if (count_ > kFirst) {
      body.template operator()<Group, kRest>(kFirst);
    }
  }

  const QuantisedVector* columns_;
  std::uint32_t count_;
  bool are_even_ = true;
  std::ptrdiff_t stride_;  ///< from column to column, where all are as far apart
  TilesInUse tiles_;
  alignas(64) std::int8_t gathered_[kMost * Depth];
};

}  // namespace ds4::fast
