/// Pooling of pair rows: per column a softmax over the entries (model.md 3.8), all columns at once.
#pragma once

#include <limits>

#include "../isa/vector.hpp"
#include "cpu-common/context.hpp"
#include "cpu-common/pair_rows.hpp"

namespace ds4::fast {

struct PoolScratch {
  const float** entries;  ///< [span] the pair rows that take part, null for those left out
  float* highest;         ///< [width]
  float* total;           ///< [width]

  PoolScratch(cpu::Arena& local, std::uint64_t span, std::uint64_t width)
      : entries(local.take<const float*>(span)),
        highest(local.take<float>(width)),
        total(local.take<float>(width)) {}
};

/// out[d] of row r; false when an index is wrong, which is noted. Entries count in their order;
/// with `overlaps` the second half of the list uses the second half of the columns.
inline bool pool_row(cpu::Context& c, std::uint32_t r, const cpu::PairRows& pairs,
                     const std::int32_t* ids, std::uint32_t span, std::uint32_t width,
                     bool overlaps, const PoolScratch& at, float* out) noexcept {
  const std::uint64_t columns = std::uint64_t{width} * (overlaps ? 2 : 1);
  for (std::uint32_t e = 0; e < span; ++e) {
    at.entries[e] = pairs.at(ids[e]);
    if (ids[e] != -1 && at.entries[e] == nullptr) {
      c.bad_index("list", r, ids[e], pairs.size());
      return false;
    }
    if (at.entries[e] != nullptr && overlaps && e >= span / 2) at.entries[e] += width;
  }
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  each_lanes(width, [&](auto get, auto put) {
    F32 highest = all(kNone);
    for (std::uint32_t e = 0; e < span; ++e) {
      if (at.entries[e] != nullptr) highest = greatest(get(at.entries[e] + columns), highest);
    }
    put(at.highest, highest);
  });
  for (std::uint32_t d = 0; d < width; ++d) {
    if (at.highest[d] == kNone) at.highest[d] = 0;
  }
  each_lanes(width, [&](auto get, auto put) {
    F32 total = zero();
    F32 value = zero();
    for (std::uint32_t e = 0; e < span; ++e) {
      if (at.entries[e] == nullptr) continue;
      const F32 weight = exponential(get(at.entries[e] + columns) - get(at.highest));
      total = total + weight;
      value = fma(weight, get(at.entries[e]), value);
    }
    put(at.total, total);
    put(out, value);
  });
  for (std::uint32_t d = 0; d < width; ++d) out[d] = at.total[d] == 0 ? 0 : out[d] / at.total[d];
  return true;
}

}  // namespace ds4::fast
