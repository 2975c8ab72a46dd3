/// The best k of n values by a heap whose top is the worst; ranking in cpu-common/ranking.hpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "cpu-common/ranking.hpp"

namespace ds4::fast {

enum class Order { best_first, ascending_ids };

/// ids[0 .. k): the columns of the k largest of x[0 .. n), -1 where there are fewer.
inline void choose_best(const float* x, std::uint32_t n, std::uint32_t k, Order order,
                        std::int32_t* ids) noexcept {
  std::int32_t* end = ids;
  const auto before = [x](std::int32_t a, std::int32_t b) { return cpu::ranks_before(x, a, b); };
  for (std::uint32_t e = 0; e < n && k != 0; ++e) {
    if (!cpu::is_candidate(x[e])) continue;
    const auto id = static_cast<std::int32_t>(e);
    if (end == ids + k) {
      // Most values stop here: they rank behind the worst of the chosen.
      if (!before(id, ids[0])) continue;
      std::pop_heap(ids, end, before);
      --end;
    }
    *end++ = id;
    std::push_heap(ids, end, before);
  }
  if (order == Order::ascending_ids) {
    std::sort(ids, end);
  } else {
    std::sort_heap(ids, end, before);
  }
  std::fill(end, ids + k, -1);
}

/// values[i] = x[ids[i]], -inf for -1.
inline void take_values(const float* x, const std::int32_t* ids, std::uint32_t k,
                        float* values) noexcept {
  for (std::uint32_t i = 0; i < k; ++i) {
    values[i] = ids[i] < 0 ? -std::numeric_limits<float>::infinity() : x[ids[i]];
  }
}

}  // namespace ds4::fast
