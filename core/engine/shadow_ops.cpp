#include "engine/shadow_ops.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/checked.hpp"
#include "ops/op_table.hpp"
#include "ops/views.hpp"
#include "plan/lowering/lowering.hpp"

namespace ds4 {
namespace {

constexpr std::uint64_t kAlignment = 256;

/// Collects a composition; scratch tensors lie one behind the other.
class Composition final : public LoweringSink {
 public:
  explicit Composition(ds4_buffer* scratch) : scratch_(scratch) {}

  ds4_view scratch(std::uint32_t dtype, std::initializer_list<std::uint32_t> extents) override {
    const ds4_view view = make_view(scratch_, round_up(top_, kAlignment), dtype, extents);
    top_ = view.offset + view_span_bytes(view);
    return view;
  }
  void emit(const ds4_op& op) override { ops_.emplace_back(op); }

  [[nodiscard]] std::uint64_t bytes() const { return top_; }
  std::vector<OpCopy> take() { return std::move(ops_); }

 private:
  ds4_buffer* scratch_;
  std::uint64_t top_ = 0;
  std::vector<OpCopy> ops_;
};

/// The ops that give the scores by which a route chooses (model.md 3.12).
std::vector<OpCopy> score_ops(const ds4_op_route& route, const ds4_view& score) {
  auto product = make_op<ds4_op_matmul>(DS4_OP_MATMUL);
  product.rows = route.rows;
  product.weight = route.gate;
  product.x = route.v;
  product.y = score;
  auto unary = make_op<ds4_op_unary>(DS4_OP_UNARY);
  unary.rows = route.rows;
  unary.x = unary.y = score;
  unary.function = DS4_UNARY_SQRT_SOFTPLUS;
  std::vector<OpCopy> ops = {OpCopy(product.op), OpCopy(unary.op)};
  if (route.bias != nullptr) {
    auto add = make_op<ds4_op_binary>(DS4_OP_ADD);
    add.rows = route.rows;
    add.weight = route.bias;
    add.x = add.y = score;
    ops.emplace_back(add.op);
  }
  return ops;
}

/// Empty when the device has every op of the list.
Result<std::string> lack_of(const plugins::Device& device, const std::vector<OpCopy>& ops) {
  for (const OpCopy& copy : ops) {
    DS4_TRY(const plugins::OpSupport answer, device.op_support(copy.op()));
    if (answer.level != plugins::SupportLevel::no) continue;
    std::string text(op_name(copy.op().id));
    if (!answer.reason.empty()) text.append(" (").append(answer.reason).append(")");
    return text;
  }
  return std::string();
}

Result<std::uint64_t> workspace_of(const plugins::Device& device, const std::vector<OpCopy>& ops) {
  std::vector<const ds4_op*> pointers;
  for (const OpCopy& copy : ops) pointers.push_back(&copy.op());
  if (pointers.empty()) return std::uint64_t{0};
  return device.workspace_size(pointers);
}

bool is_fused(std::uint32_t id) {
  const OpTraits* traits = find_op(id);
  return traits != nullptr && traits->tier == OpTier::fused;
}

}  // namespace

OpCopy::OpCopy(const ds4_op& op) : words_((op.struct_size + 7) / 8) {
  std::memcpy(words_.data(), &op, op.struct_size);
}

// Handles are addresses of live objects: no size, flag or number of a descriptor has such a value.
OpCopy with_handles(const ds4_op& op, const HandleMap& handles) {
  OpCopy copy(op);
  for (std::uint64_t& word : copy.words()) {
    if (const auto found = handles.find(word); found != handles.end()) word = found->second;
  }
  return copy;
}

std::vector<ds4_view> views_of(const ds4_op& op, const HandleMap& buffers) {
  static_assert(offsetof(ds4_view, buffer) == 0 && sizeof(ds4_view) % 8 == 0);
  OpCopy copy(op);
  const std::span<std::uint64_t> words = copy.words();
  std::vector<ds4_view> views;
  for (std::size_t i = 0; i + sizeof(ds4_view) / 8 <= words.size(); ++i) {
    if (buffers.count(words[i]) == 0) continue;
    std::memcpy(&views.emplace_back(), &words[i], sizeof(ds4_view));
  }
  return views;
}

Result<RepeatedOp> repeat_op(const plugins::Device& device, OpCopy op, ds4_buffer* scratch) {
  RepeatedOp out;
  const ds4_op& head = op.op();
  if (outputs_of(head).empty()) {
    out.lacks = std::string(op_name(head.id)) + " (no output is known)";
    return out;
  }
  Composition composition(scratch);
  if (head.id == DS4_OP_ROUTE && reinterpret_cast<const ds4_op_route&>(head).table == nullptr) {
    const auto& route = reinterpret_cast<const ds4_op_route&>(head);
    out.score = composition.scratch(DS4_DTYPE_F32, {route.v.extent[0], route.experts});
    out.scores = score_ops(route, out.score);
  }
  DS4_TRY(const plugins::OpSupport answer, device.op_support(head));
  if (answer.level == plugins::SupportLevel::no && is_fused(head.id)) {
    DS4_CHECK(lower(head, composition));
    out.copies = composition.take();
  } else {
    out.copies.push_back(std::move(op));
  }
  out.scratch = composition.bytes();
  DS4_TRY(out.lacks, lack_of(device, out.copies));
  if (out.lacks.empty()) {
    DS4_TRY(out.lacks, lack_of(device, out.scores));
  }
  if (!out.lacks.empty()) {
    out.copies.clear();
    out.scores.clear();
    return out;
  }
  DS4_TRY(const std::uint64_t own, workspace_of(device, out.copies));
  DS4_TRY(const std::uint64_t scores, workspace_of(device, out.scores));
  out.workspace = std::max(own, scores);
  return out;
}

Result<RepeatSizes> repeat_sizes(const plugins::Device& device, std::span<const ds4_op* const> ops,
                                 const HandleMap& handles) {
  RepeatSizes sizes;
  for (const ds4_op* op : ops) {
    DS4_TRY(const RepeatedOp repeated, repeat_op(device, with_handles(*op, handles), nullptr));
    sizes.scratch = std::max(sizes.scratch, repeated.scratch);
    sizes.workspace = std::max(sizes.workspace, repeated.workspace);
  }
  return sizes;
}

}  // namespace ds4
