#include "chosen_experts.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "contracts/contracts.hpp"

namespace ds4::cpu {
namespace {

/// Experts of a group are named in one call, from the stack; of a wider one the first are.
constexpr std::uint32_t kMostNamed = 64;
/// From the choice of a layer to its routed experts are one or two ops; further on is another
/// layer.
constexpr std::uint32_t kOpsAhead = 4;

/// Where an op puts chosen ids: the router its choice, page_rows what it makes of one where fewer
/// experts are stored than there are.
const ds4_view* chosen_ids(const ds4_op& op) noexcept {
  switch (op.id) {
    case DS4_OP_ROUTE:
      return &reinterpret_cast<const ds4_op_route&>(op).ids;
    case DS4_OP_PAGE_ROWS:
      return &reinterpret_cast<const ds4_op_page_rows&>(op).physical;
    default:
      return nullptr;
  }
}

/// The op that gets streamed experts by these ids.
const ds4_op_moe_routed* reader_of(const ds4_view& ids, const ds4_submission& submission,
                                   std::uint32_t position) noexcept {
  const std::uint32_t end = std::min(submission.count, position + 1 + kOpsAhead);
  for (std::uint32_t i = position + 1; i < end; ++i) {
    if (submission.ops[i]->id != DS4_OP_MOE_ROUTED) continue;
    const auto& op = reinterpret_cast<const ds4_op_moe_routed&>(*submission.ops[i]);
    const bool reads_them = std::memcmp(&op.ids, &ids, sizeof ids) == 0;
    return reads_them && op.gate->is_streamed ? &op : nullptr;
  }
  return nullptr;
}

/// Ascending ids, each once: the lowest of those that were put in, at most `most`.
class LowestIds {
 public:
  explicit LowestIds(std::uint32_t most) noexcept : most_(std::min(most, kMostNamed)) {}

  void put(std::int32_t id) noexcept {
    if (count_ == most_ && (count_ == 0 || id >= ids_[count_ - 1])) return;
    std::int32_t* const end = ids_.data() + count_;
    std::int32_t* const at = std::lower_bound(ids_.data(), end, id);
    if (at != end && *at == id) return;
    if (count_ < most_) ++count_;
    std::copy_backward(at, ids_.data() + count_ - 1, ids_.data() + count_);
    *at = id;
  }
  [[nodiscard]] const std::int32_t* data() const noexcept { return ids_.data(); }
  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }

 private:
  std::array<std::int32_t, kMostNamed> ids_{};
  std::uint32_t most_;
  std::uint32_t count_ = 0;
};

}  // namespace

void announce_experts(const ds4_host_api& host, const ds4_submission& submission,
                      std::uint32_t position, const std::int32_t* step,
                      std::uint64_t step_words) noexcept {
  const ds4_view* const chosen = chosen_ids(*submission.ops[position]);
  if (chosen == nullptr || !DS4_HAS(ds4_host_api, &host, experts_prefetch)) return;
  const ds4_op_moe_routed* const op = reader_of(*chosen, submission, position);
  if (op == nullptr) return;
  const sdk::RowRange rows = sdk::resolve_range(op->rows, step, step_words);
  const Bytes ids = Context::bytes(*chosen);
  LowestIds lowest(ids.width);
  for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
    for (std::uint32_t k = 0; k < ids.width; ++k) {
      const std::int32_t id = i32(ids.row(r))[k];
      // What is no expert moe_routed reports.
      if (id >= 0 && static_cast<std::uint32_t>(id) < experts_of(*op)) lowest.put(id);
    }
  }
  if (lowest.count() == 0) return;
  host.experts_prefetch(host.host_ctx, op->gate->layer, lowest.data(), lowest.count());
}

}  // namespace ds4::cpu
