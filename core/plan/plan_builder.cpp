#include "plan/plan_builder.hpp"

#include <algorithm>
#include <cstring>
#include <sstream>

#include "base/assert.hpp"
#include "base/checked.hpp"
#include "ops/op_table.hpp"
#include "ops/views.hpp"

namespace ds4 {
namespace {

// Every tensor begins on a cache line of any device at hand (GPUs read 128 bytes at once).
constexpr std::uint64_t kAlignment = 256;

ds4_view place(ds4_buffer* arena, std::uint64_t& top, std::uint32_t dtype,
               std::initializer_list<std::uint32_t> extents) {
  DS4_ASSERT(dtype == DS4_DTYPE_F32 || dtype == DS4_DTYPE_I32);
  const ds4_view view = make_view(arena, round_up(top, kAlignment), dtype, extents);
  top = view.offset + view_span_bytes(view);
  return view;
}

bool is_fused(std::uint32_t id) {
  const OpTraits* traits = find_op(id);
  return traits != nullptr && traits->tier == OpTier::fused;
}

}  // namespace

PlanBuilder::PlanBuilder(ds4_buffer* arena, const AskSupport& support)
    : arena_(arena), support_(support) {
  plan_.memory_ = std::make_unique<std::pmr::monotonic_buffer_resource>();
}

ds4_view PlanBuilder::tensor(std::uint32_t dtype, std::initializer_list<std::uint32_t> extents) {
  const ds4_view view = place(arena_, top_, dtype, extents);
  plan_.arena_bytes_ = std::max(plan_.arena_bytes_, top_);
  return view;
}

ds4_view PlanBuilder::scratch(std::uint32_t dtype, std::initializer_list<std::uint32_t> extents) {
  const ds4_view view = place(arena_, scratch_, dtype, extents);
  plan_.arena_bytes_ = std::max(plan_.arena_bytes_, scratch_);
  return view;
}

std::uint32_t PlanBuilder::next_tag(std::uint32_t layer) const {
  return layer << 16 | (static_cast<std::uint32_t>(plan_.ops_.size()) & 0xffffU);
}

void PlanBuilder::append(const ds4_op& op) {
  void* copy = plan_.memory_->allocate(op.struct_size, alignof(std::max_align_t));
  std::memcpy(copy, &op, op.struct_size);
  plan_.ops_.push_back(static_cast<const ds4_op*>(copy));
}

Result<void> PlanBuilder::add_op(const ds4_op& op, std::uint32_t layer) {
  DS4_TRY(const plugins::OpSupport answer, support_(op));
  if (answer.level != plugins::SupportLevel::no) {
    append(op);
    return {};
  }
  if (!is_fused(op.id)) {
    missing_.push_back(std::string(op_name(op.id)) + " (" + answer.reason + ")");
    return {};
  }
  note_composed(op, layer, answer.reason);
  scratch_ = top_;
  lowering_tag_ = op.tag;
  DS4_CHECK(lower(op, *this));
  if (!failure_.empty()) return fail(Errc::unsupported, failure_);
  return {};
}

void PlanBuilder::emit(const ds4_op& op) {
  const Result<plugins::OpSupport> answer = support_(op);
  if (!answer) {
    failure_ = answer.error().what;
    return;
  }
  if (answer->level == plugins::SupportLevel::no) {
    missing_.push_back(std::string(op_name(op.id)) + " (" + answer->reason + ")");
    return;
  }
  append(op);
  const_cast<ds4_op*>(plan_.ops_.back())->tag = lowering_tag_;
}

void PlanBuilder::note_composed(const ds4_op& op, std::uint32_t layer, std::string_view reason) {
  auto& composed = plan_.composed_;
  const auto same = std::find_if(composed.begin(), composed.end(),
                                 [&op](const ComposedOp& known) { return known.id == op.id; });
  if (same == composed.end()) {
    composed.push_back({op.id, layer, layer, 1, std::string(reason)});
  } else {
    same->last_layer = layer;
    ++same->count;
  }
}

Result<Plan> PlanBuilder::finish(StepLayout step, const ds4_view& streams) {
  if (!missing_.empty()) {
    std::sort(missing_.begin(), missing_.end());
    missing_.erase(std::unique(missing_.begin(), missing_.end()), missing_.end());
    std::ostringstream text;
    text << "the backend lacks ops that nothing can replace:";
    for (const std::string& name : missing_) text << ' ' << name;
    return fail(Errc::unsupported, text.str());
  }
  plan_.step_ = std::move(step);
  plan_.streams_ = streams;
  return std::move(plan_);
}

std::string Plan::dump() const {
  std::ostringstream text;
  for (const ds4_op* op : ops_) {
    const auto& range = *reinterpret_cast<const ds4_range*>(op + 1);  // second member of every op
    text << 'L' << (op->tag >> 16) << '.' << (op->tag & 0xffffU) << ' ' << op_name(op->id)
         << " rows<=" << range.max << '\n';
  }
  return text.str();
}

}  // namespace ds4
