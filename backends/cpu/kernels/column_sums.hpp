/// Many columns against the bytes of one packed tile of weights, by instructions that multiply
/// matrices: what panels are made of. Exact.
///
///     ColumnSums<Depth>(columns, count)  `columns` must outlive it; 1 .. kMost of them
///     start()                            sets all sums to 0
///     add(first, weights)                adds values [first, first + Depth) of every column times
///                                        `weights`: Depth / 4 rows of 64 bytes, unsigned, as they
///                                        lie in a packed tile
///     store(sums)                        sums[16 * c + lane] of every column
///
/// Depth is 32 or 64.
#pragma once

#include "../isa/bytes.hpp"

#if defined(__ARM_FEATURE_MATMUL_INT8)
#include "column_sums_pairs.hpp"
#else
#include "column_sums_tiles.hpp"
#endif

namespace ds4::fast {

/// Sixteen integers of a store.
inline I32 load_ints(const std::int32_t* p) noexcept {
  I32 r;
  static_assert(sizeof r == 64);
  std::memcpy(&r, p, sizeof r);
  return r;
}
inline void store_bytes(std::byte* p, Bytes64 bytes) noexcept {
  static_assert(sizeof bytes == 64);
  std::memcpy(p, &bytes, sizeof bytes);
}

}  // namespace ds4::fast
