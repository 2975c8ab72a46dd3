// What a shadow adds to a plan of memory.
#include <algorithm>

#include "engine/memory_planner.hpp"
#include "engine/shadow_ops.hpp"
#include "engine/shadow_side.hpp"

namespace ds4 {

std::uint64_t ShadowMemory::host_bytes() const noexcept {
  const std::uint64_t own = weights.in_place - in_place_shared + host;
  return shares_host_memory ? own + weights.on_device() + mirrors + workspace : own;
}

std::uint64_t ShadowMemory::device_bytes() const noexcept {
  return shares_host_memory ? 0 : weights.on_device() + mirrors + workspace;
}

/// The shadow repeats the ops of the engine's plans, so those are what it is asked about.
Result<void> MemoryPlanner::add_shadow(plugins::Device& second) {
  if (asked() == Experts::streamed) {
    return fail(
        Errc::unsupported,
        "a shadow repeats ops with all experts in memory: --shadow and --expert-cache do not "
        "go together");
  }
  inputs_.experts.mode = ExpertCacheOptions::Mode::off;
  experts_.reset();
  cannot_stream_ = "a shadow repeats ops with all experts in memory";
  PlanQuestions questions = PlanQuestions::of(&second);
  questions.support = parts_.front().questions.support;
  questions.workspace = [&second](std::span<const ds4_op* const> ops) -> Result<std::uint64_t> {
    DS4_TRY(const RepeatSizes sizes, repeat_sizes(second, ops, {}));
    return workspace_lines(sizes.workspace) + sizes.scratch;
  };
  DS4_TRY(MemoryPlanner planner, make(*model_, inputs_, std::move(questions)));
  shadow_ = std::make_shared<const MemoryPlanner>(std::move(planner));
  return {};
}

Result<void> MemoryPlanner::plan_shadow(MemoryPlan& plan) const {
  DS4_TRY(const MemoryPlan repeated, shadow_->plan(plan.context));
  ShadowMemory shadow;
  shadow.device = repeated.device;
  shadow.shares_host_memory = repeated.shares_host_memory;
  shadow.weights = repeated.weights;
  const std::vector<std::uint64_t>& mine = parts_.front().in_place;
  for (std::size_t i = 0; i < mine.size(); ++i) {
    shadow.in_place_shared += std::min(mine[i], shadow_->parts_.front().in_place[i]);
  }
  shadow.mirrors = plan.rings + plan.page_pool() + plan.activations + plan.step;
  shadow.workspace = repeated.workspace;
  shadow.host = repeated.staging + 2 * kShadowChunkBytes;
  plan.shadow = std::move(shadow);
  return {};
}

}  // namespace ds4
