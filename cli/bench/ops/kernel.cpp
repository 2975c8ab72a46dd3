#include "bench/ops/kernel.hpp"

#include <algorithm>
#include <random>
#include <set>

#include "ops/op_table.hpp"

namespace ds4::bench {

std::string extents_text(const std::uint32_t* extents, std::uint32_t rank) {
  std::string text;
  for (std::uint32_t axis = 0; axis < rank; ++axis) {
    text.append(axis == 0 ? "" : "x").append(std::to_string(extents[axis]));
  }
  return text;
}

std::string matrices_text(const std::vector<const ShapedWeight*>& weights) {
  std::string text;
  for (const ShapedWeight* weight : weights) {
    if (weight->desc.rank < 2 || weight->desc.role == DS4_ROLE_WINDOW_TABLE) continue;
    text.append(text.empty() ? "" : "+");
    text.append(extents_text(weight->desc.extent, weight->desc.rank));
  }
  return text;
}

std::string types_text(const std::vector<const ShapedWeight*>& weights) {
  std::string text;
  std::set<std::uint32_t> known;
  for (const ShapedWeight* weight : weights) {
    if (weight->desc.rank < 2 || weight->desc.role == DS4_ROLE_WINDOW_TABLE) continue;
    if (!known.insert(weight->desc.dtype).second) continue;
    text.append(text.empty() ? "" : "+").append(view_dtype_name(weight->desc.dtype));
  }
  return text;
}

std::vector<std::vector<std::int32_t>> draw_lists(std::uint32_t count, std::uint32_t rows,
                                                  std::uint32_t k, std::uint32_t limit,
                                                  bool ascending) {
  std::mt19937_64 random(1);
  std::vector<std::vector<std::int32_t>> lists(count);
  std::vector<std::int32_t> all(limit);
  for (std::uint32_t id = 0; id < limit; ++id) all[id] = static_cast<std::int32_t>(id);
  const std::uint32_t taken = std::min(k, limit);
  for (std::vector<std::int32_t>& list : lists) {
    for (std::uint32_t row = 0; row < rows; ++row) {
      // The first places of a shuffle; what is behind them stays for the next row.
      for (std::uint32_t i = 0; i < taken; ++i) {
        std::swap(all[i], all[i + random() % (limit - i)]);
      }
      const std::size_t begin = list.size();
      list.insert(list.end(), all.begin(), all.begin() + taken);
      if (ascending) std::sort(list.begin() + static_cast<std::ptrdiff_t>(begin), list.end());
      list.resize(begin + k, -1);
    }
  }
  return lists;
}

double distinct_ids(const std::vector<std::vector<std::int32_t>>& lists) {
  std::size_t sum = 0;
  for (const std::vector<std::int32_t>& list : lists) {
    std::vector<bool> is_there;
    for (const std::int32_t id : list) {
      if (id < 0) continue;
      const auto at = static_cast<std::size_t>(id);
      if (at >= is_there.size()) is_there.resize(at + 1);
      sum += is_there[at] ? 0U : 1U;
      is_there[at] = true;
    }
  }
  return lists.empty() ? 0 : static_cast<double>(sum) / static_cast<double>(lists.size());
}

}  // namespace ds4::bench
