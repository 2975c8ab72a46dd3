/// The pairs that a compressed row is pooled from: rows of a ring, then rows of the workspace.
#pragma once

#include "loops.hpp"

namespace ds4::cpu {

struct PairRows {
  Bytes ring;
  Bytes work;

  /// Row `index` of the two in sequence, or null when there is none.
  [[nodiscard]] const float* at(std::int64_t index) const noexcept {
    if (index < 0) return nullptr;
    if (index < std::int64_t{ring.entries}) {
      return f32(ring.entry(static_cast<std::uint32_t>(index)));
    }
    index -= ring.entries;
    return index < std::int64_t{work.entries} ? f32(work.entry(static_cast<std::uint32_t>(index)))
                                              : nullptr;
  }
  [[nodiscard]] std::int64_t size() const noexcept {
    return std::int64_t{ring.entries} + work.entries;
  }
};

/// Checks ring, work and list of an op that pools to rows of `width`.
inline void check_pairs(Check& c, const ds4_view& ring, const ds4_view& work, const ds4_view& list,
                        std::uint32_t flags, std::uint32_t width) {
  const std::uint64_t columns = std::uint64_t{width} * ((flags & DS4_POOL_OVERLAP) != 0 ? 2 : 1);
  c.require(2 * columns < 0xffffffffu, "pair rows of ", 2 * columns, " values are too wide");
  const auto pair = static_cast<std::uint32_t>(2 * columns);
  if (c.has(ring)) c.row_list(ring, "ring", kF32, pair);
  c.row_list(work, "work", kF32, pair);
  c.rows(list, "list", kI32, {kAny});
  c.require((flags & DS4_POOL_OVERLAP) == 0 || list.extent[1] % 2 == 0, "list: span ",
            list.extent[1], " is odd, with OVERLAP it has two halves");
}

}  // namespace ds4::cpu
