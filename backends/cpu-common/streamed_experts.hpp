/// Experts that the host delivers while an op runs (DS4_WEIGHT_STREAMED), a group at a time.
///
/// A group holds no more experts than a row of the step chose, so that a host needs room for that
/// many, however many a prefill chunk chooses. The host hears of a group while the one before is
/// computed.
#pragma once

#include <cstdint>

#include "context.hpp"
#include "contracts/contracts.hpp"

namespace ds4::cpu {

/// One expert of a group: its weights as any weight is read, rows counted from its own first.
struct StreamedExpert {
  std::uint32_t id;
  ds4_weight gate, up, down;
};

class StreamedExperts {
 public:
  /// Takes scratch; nothing where the op's experts are resident.
  StreamedExperts(Arena& shared, Arena& local, const ds4_op_moe_routed& op) noexcept;

  /// A run of experts: [begin, end) hold `count` that rows chose, and no other.
  struct Group {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    std::uint32_t count = 0;
  };

  /// Calls body(group) on every thread for one group after the other, ascending, with its experts
  /// there; is_chosen(e) answers alike on every thread. False when the host could not deliver some:
  /// that is noted, and no thread has work left.
  template <class IsChosen, class Body>
  bool each_group(Context& c, const ds4_op_moe_routed& op, IsChosen&& is_chosen, Body&& body) {
    std::int32_t* ids = ids_;
    std::int32_t* next_ids = ids_ + most_;
    Group now = collect(0, experts_of(op), ids, is_chosen);
    while (now.count != 0) {
      const Group next = collect(now.end, experts_of(op), next_ids, is_chosen);
      if (c.thread == 0) {
        state_->is_there = acquire(c, op, ids, now.count);
        if (state_->is_there) prefetch(c, op, next_ids, next.count);
      }
      c.barrier();
      if (!state_->is_there) return false;
      current_ = ids;
      body(now);
      c.barrier();  // nobody reads the group any more
      if (c.thread == 0) release(c);
      std::swap(ids, next_ids);
      now = next;
    }
    return true;
  }

  /// Expert `i` of the group that body() was called with.
  [[nodiscard]] StreamedExpert expert(const ds4_op_moe_routed& op, std::uint32_t i) const noexcept;

 private:
  struct State {
    std::uint64_t ticket;
    bool is_there;
  };

  template <class IsChosen>
  Group collect(std::uint32_t from, std::uint32_t experts, std::int32_t* ids,
                IsChosen&& is_chosen) const {
    Group group{from, from, 0};
    for (; group.end < experts && group.count < most_; ++group.end) {
      if (is_chosen(group.end)) ids[group.count++] = static_cast<std::int32_t>(group.end);
    }
    return group;
  }
  bool acquire(Context& c, const ds4_op_moe_routed& op, const std::int32_t* ids,
               std::uint32_t count) const noexcept;
  static void prefetch(const Context& c, const ds4_op_moe_routed& op, const std::int32_t* ids,
                       std::uint32_t count) noexcept;
  void release(const Context& c) const noexcept;

  std::uint32_t most_;
  ds4_expert_view* views_;  // shared: [most]
  State* state_;            // shared; thread 0 writes it
  std::int32_t* ids_;       // [2, most]: of a group and of the next
  const std::int32_t* current_ = nullptr;
};

}  // namespace ds4::cpu
