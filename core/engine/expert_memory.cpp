// What an expert cache makes of a plan of memory.
#include <algorithm>

#include "engine/memory_planner.hpp"

namespace ds4 {
namespace {

// Of what a plan leaves, this much goes to a cache that nobody gave a size: files are read through
// the page cache, and other programs grow.
constexpr std::uint64_t kShareOfRoom = 90;  // percent

}  // namespace

/// Finds out whether experts can be streamed; only a cache that was asked for makes it an error
/// that they cannot.
Result<void> MemoryPlanner::add_experts() {
  const ExpertCacheOptions::Mode mode = inputs_.experts.mode;
  if (mode == ExpertCacheOptions::Mode::off) {
    cannot_stream_ = "it is switched off";
    return {};
  }
  const Result<void> done = import_experts();
  if (done) return done;
  if (mode == ExpertCacheOptions::Mode::fixed) return done.error().in("expert cache");
  experts_.reset();
  cannot_stream_ = done.error().what;
  return {};
}

Result<void> MemoryPlanner::import_experts() {
  if (is_placed()) {
    return fail(Errc::unsupported, "it serves a model on one device, this one is on ",
                parts_.size());
  }
  Part& part = parts_.front();
  if (!part.questions.packs_experts) {
    return fail(Errc::unsupported, part.questions.device, " does not pack single experts");
  }
  if (!part.questions.shares_host_memory) {
    return fail(Errc::unsupported, part.questions.device,
                " does not compute in the host's memory, where the experts would be");
  }
  DS4_TRY(ExpertLayout layout,
          ExpertLayout::make(
              *model_, part.questions.weight ? part.questions.weight : AskWeight(assume_in_place)));
  if (part.questions.streamed) {
    part.tables.resize(layout.layers.size());
    for (const WeightItem& item : weight_items(*model_, part.share)) {
      if (!holds_experts(item.role)) continue;
      DS4_TRY(plugins::Weight weight, part.questions.streamed(*model_, item));
      part.tables[item.layer][static_cast<std::size_t>(item.role)] = weight.handle();
      part.streamed.push_back(std::move(weight));
    }
  }
  experts_ = std::move(layout);
  return {};
}

/// The cache of a plan with streamed experts: as asked for, else the smallest that works.
Result<void> MemoryPlanner::add_cache(MemoryPlan& plan) const {
  const ExpertLayout& layout = *experts_;
  ExpertMemory memory;
  memory.slot_bytes = layout.slot_bytes();
  memory.all = layout.all();
  memory.tensor_bytes = layout.tensor_bytes;
  memory.held = layout.least;
  memory.is_forced = asked() == Experts::resident;
  if (!memory.is_forced) {
    memory.held = std::min(inputs_.experts.bytes / memory.slot_bytes, memory.all);
    if (memory.held < layout.least) {
      return fail(Errc::invalid_argument, "an expert cache of ", inputs_.experts.bytes,
                  " bytes holds ", memory.held, " experts of ", memory.slot_bytes,
                  " bytes, a token uses ", layout.least, " at once: give --expert-cache at least ",
                  layout.least * memory.slot_bytes, " bytes");
    }
  }
  plan.experts = memory;
  plan.staging += kExpertReaders * layout.largest_piece +
                  ExpertCache::table_bytes(memory.all, memory.all) + table_bytes();
  return {};
}

/// Copies of the tables that route by token: what they choose is known before a step begins.
std::uint64_t MemoryPlanner::table_bytes() const {
  std::uint64_t bytes = 0;
  for (std::uint32_t layer = 0; layer < model_->config().layers; ++layer) {
    if (!model_->config().is_hash_routed(layer)) continue;
    bytes += model_->layer_tensor(layer, TensorRole::ffn_gate_tid2eid)->bytes;
  }
  return bytes;
}

Result<MemoryPlan> MemoryPlanner::best_plan(const MemoryLimits& limits) const {
  DS4_TRY(MemoryPlan wanted, plan());
  if (wanted.experts || !experts_ || fits(wanted, limits)) return wanted;
  Result<MemoryPlan> streamed = plan(inputs_.context, Experts::streamed);
  // A device that has no op for streamed experts: what does not fit is what has to be said.
  if (!streamed) return wanted;
  ExpertMemory& cache = *streamed->experts;
  const std::uint64_t room = host_room(*streamed, limits) / 100 * kShareOfRoom;
  cache.held = std::min(cache.all, cache.held + room / cache.slot_bytes);
  return streamed;
}

}  // namespace ds4
