/// Slots sorted by the group of a weight that each takes: experts of tokens, groups of heads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>

#include "cpu-common/context.hpp"
#include "product.hpp"

namespace ds4::fast {

class Groups {
 public:
  Groups(cpu::Arena& local, std::uint64_t slots, std::uint64_t groups)
      : order_(local.take<std::uint32_t>(slots)),
        group_(local.take<std::int32_t>(slots)),
        begin_(local.take<std::uint32_t>(sdk::sat_add(groups, 1))) {}

  /// group_of(slot) gives a group, or what is none: such a slot belongs nowhere. Members of a group
  /// ascend.
  template <class GroupOf>
  void sort(std::uint32_t slots, std::uint32_t groups, GroupOf&& group_of) const noexcept {
    std::fill_n(begin_, std::uint64_t{groups} + 1, 0u);
    for (std::uint32_t s = 0; s < slots; ++s) {
      const std::int64_t g = group_of(s);
      group_[s] = g >= 0 && g < std::int64_t{groups} ? static_cast<std::int32_t>(g) : -1;
      if (group_[s] >= 0) ++begin_[group_[s]];
    }
    std::uint32_t total = 0;
    for (std::uint32_t g = 0; g <= groups; ++g) total += std::exchange(begin_[g], total);
    // Placing moves each begin to its group's end, which is the next one's begin: shift back after.
    for (std::uint32_t s = 0; s < slots; ++s) {
      if (group_[s] >= 0) order_[begin_[group_[s]]++] = s;
    }
    for (std::uint32_t g = groups; g > 0; --g) begin_[g] = begin_[g - 1];
    begin_[0] = 0;
  }

  [[nodiscard]] std::span<const std::uint32_t> members(std::uint32_t g) const noexcept {
    return {order_ + begin_[g], begin_[g + 1] - begin_[g]};
  }
  /// The slots of groups [first, end), group after group.
  [[nodiscard]] std::span<const std::uint32_t> members(std::uint32_t first,
                                                       std::uint32_t end) const noexcept {
    return {order_ + begin_[first], begin_[end] - begin_[first]};
  }
  [[nodiscard]] bool has_group(std::uint32_t slot) const noexcept { return group_[slot] >= 0; }

 private:
  std::uint32_t* order_;
  std::int32_t* group_;
  std::uint32_t* begin_;
};

/// Calls body(o, n, slot, sums) for the tiles `part` of the weight's rows [from, from + rows) and
/// for each member; otherwise like each_tile_product.
template <class Body>
void tile_product_of(const ds4_weight& weight, std::uint64_t from, std::uint64_t rows,
                     const sdk::Part& part, const Operand& x,
                     std::span<const std::uint32_t> members, Body&& body) {
  each_tile_product(
      weight, from, rows, part, x, static_cast<std::uint32_t>(members.size()),
      [members](std::uint32_t i) { return members[i]; },
      [&](std::uint64_t o, std::uint32_t n, std::uint32_t i, const float* sums) {
        body(o, n, members[i], sums);
      });
}

/// each_product for the vectors of some slots: body(o, n, slot, sums).
template <class Body>
void each_product_of(const cpu::Context& c, const ds4_weight& weight, std::uint64_t from,
                     std::uint64_t rows, const Operand& x, std::span<const std::uint32_t> members,
                     Body&& body) {
  if (members.empty()) return;
  tile_product_of(weight, from, rows, c.share(tiles_of(rows)), x, members, body);
}

}  // namespace ds4::fast
