#include "engine/memory_planner.hpp"

#include <algorithm>
#include <utility>

#include "base/checked.hpp"
#include "engine/engine.hpp"
#include "engine/selection_layout.hpp"
#include "engine/weight_loader.hpp"
#include "kv/kv_layout.hpp"
#include "ops/views.hpp"

namespace ds4 {
namespace {

// A program with its libraries, a backend and their heaps, before a model is opened: measured 12 to
// 16 MiB on Debian 12 (docs/memory.md).
constexpr std::uint64_t kProgramBytes = 16ULL << 20;
// The header is mapped and read; the tokenizer keeps its strings once more in hash tables.
constexpr std::uint64_t kHeaderCopies = 4;
// Rounding of the sizes of descriptors in a plan.
constexpr std::uint64_t kDescriptorAlignment = 16;

bool uses_host_memory(const plugins::Device& device) {
  return device.memory_kind(DS4_MEMORY_DEVICE) == nullptr;
}

/// A device that can do everything, where none is asked.
Result<plugins::OpSupport> assume_native(const ds4_op&) {
  return plugins::OpSupport{plugins::SupportLevel::native, ""};
}

/// Weights stay where they are mapped.
Result<ds4_weight_answer> assume_in_place(const ds4_weight_desc&) {
  ds4_weight_answer answer{};
  answer.struct_size = sizeof(answer);
  answer.accepted = 1;
  answer.in_place = 1;
  return answer;
}

}  // namespace

MemoryPlanInputs MemoryPlanInputs::of(const EngineOptions& options) {
  MemoryPlanInputs inputs;
  inputs.context = options.context;
  inputs.sessions = options.sessions;
  inputs.decode_rows = options.decode_rows;
  inputs.prefill_rows = options.prefill_rows;
  inputs.logits_rows = options.logits_rows;
  inputs.pages_percent = options.pages_percent;
  inputs.restore_points = options.restore_points;
  inputs.roundings = options.roundings;
  inputs.selections = options.selections;
  return inputs;
}

PlanQuestions PlanQuestions::of(const plugins::Device* maybe_device) {
  PlanQuestions questions;
  if (maybe_device == nullptr) return questions;
  const plugins::Device& device = *maybe_device;
  questions.device = device.backend().name();
  questions.shares_host_memory = uses_host_memory(device);
  questions.weight = [&device](const ds4_weight_desc& desc) { return device.weight_query(desc); };
  questions.support = [&device](const ds4_op& op) { return device.op_support(op); };
  questions.workspace = [&device](std::span<const ds4_op* const> ops) {
    return device.workspace_size(ops);
  };
  return questions;
}

std::vector<StepClass> step_classes(std::uint32_t decode_rows, std::uint32_t prefill_rows,
                                    std::uint32_t logits_rows) {
  std::vector<StepClass> out;
  for (std::uint32_t rows = 1;; rows *= 2) {
    const std::uint32_t bucket = std::min(rows, decode_rows);
    out.push_back({bucket, 0, std::min(bucket, logits_rows)});
    if (bucket == decode_rows) break;
  }
  out.push_back({decode_rows, prefill_rows, logits_rows});
  return out;
}

std::uint64_t workspace_lines(std::uint64_t bytes) noexcept {
  return round_up(bytes, kWorkspaceLine);
}

Result<MemoryPlanner> MemoryPlanner::make(const ModelFile& model, MemoryPlanInputs inputs,
                                          PlanQuestions questions) {
  if (inputs.context < 1 || inputs.context > kMostContext) {
    return fail(Errc::invalid_argument, "context must be 1..", kMostContext, ", is ",
                inputs.context);
  }
  MemoryPlanner planner(model, inputs, std::move(questions));
  DS4_CHECK(planner.add_weights());
  return planner;
}

Result<void> MemoryPlanner::add_weights() {
  const AskWeight ask = questions_.weight ? questions_.weight : AskWeight(assume_in_place);
  for (const WeightItem& item : weight_items(*model_)) {
    const std::string name(item.tensor->name);
    DS4_TRY(const WeightChoice choice, choose_weight(*model_, item, name, ask));
    ++weights_.tensors;
    if (choice.is_in_place) {
      weights_.in_place += item.tensor->bytes;
      continue;
    }
    (choice.is_converted ? weights_.converted : weights_.copied) += choice.device_bytes();
    weights_.converted_source += choice.is_converted ? item.tensor->bytes : 0;
    std::uint64_t chunk = kImportChunkBytes;
    if (!choice.is_converted && !model_->is_mapped()) {
      chunk = std::max(kMadeChunkBytes, choice.answer.chunk_bytes);
    } else if (!choice.is_converted && choice.answer.chunk_bytes != 0) {
      chunk = choice.answer.chunk_bytes;
    }
    chunk_bytes_ = std::max(chunk_bytes_, std::min(chunk, item.tensor->bytes));
  }
  return {};
}

Result<MemoryPlan> MemoryPlanner::plan(std::uint32_t context) const {
  MemoryPlanInputs in = inputs_;
  in.context = context;
  in.prefill_rows = std::min(in.prefill_rows, context);
  in.logits_rows = std::min(in.logits_rows, in.decode_rows + in.prefill_rows);
  MemoryPlan plan;
  plan.context = context;
  plan.sessions = in.sessions;
  plan.prefill_rows = in.prefill_rows;
  plan.decode_rows = in.decode_rows;
  plan.is_estimate = !questions_.weight;
  plan.shares_host_memory = questions_.shares_host_memory;
  plan.device = questions_.device;
  plan.weights = weights_;
  plan.program = kProgramBytes + kHeaderCopies * model_->gguf().data_offset();
  plan.staging = chunk_bytes_;
  DS4_CHECK(add_kv(plan, in));
  DS4_CHECK(add_steps(plan, in));
  return plan;
}

Result<void> MemoryPlanner::add_kv(MemoryPlan& plan, const MemoryPlanInputs& in) const {
  DS4_TRY(const KvLayout kv,
          KvLayout::make(model_->config(), in.roundings,
                         {in.sessions, in.context, in.pages_percent, in.restore_points}));
  plan.slot_bytes = kv.slot_bytes;
  plan.rings = kv.ring_bytes();
  plan.restore_points = kv.restore_bytes();
  for (const KvLayout::Class& entry : kv.classes) {
    plan.pages.push_back({entry.ratio.ratio, entry.pages, entry.bytes_per_page});
    const std::uint64_t table =
        sizeof(std::int32_t) * std::uint64_t{in.sessions} * std::max(entry.session_pages, 1U);
    plan.step += table;
    plan.staging += table;
    // The pool's counts of holders and its stack of free ids; the ids that each session and each
    // restore point holds.
    plan.staging += 3 * sizeof(std::uint32_t) * std::uint64_t{entry.pages};
    plan.staging += sizeof(std::uint32_t) * std::uint64_t{entry.session_pages} *
                    (std::uint64_t{in.sessions} + in.restore_points);
  }
  plan.staging += sizeof(std::int32_t) * std::uint64_t{in.sessions} * in.context;  // token ids
  return {};
}

Result<void> MemoryPlanner::add_steps(MemoryPlan& plan, const MemoryPlanInputs& in) const {
  const ModelConfig& config = model_->config();
  DS4_TRY(const KvLayout kv,
          KvLayout::make(config, in.roundings,
                         {in.sessions, in.context, in.pages_percent, in.restore_points}));
  const SelectionLayout choices =
      SelectionLayout::make(config, in.selections, in.decode_rows + in.prefill_rows);
  PlanInputs inputs;
  inputs.config = &config;
  inputs.roundings = in.roundings;
  inputs.kv = kv.views(config, nullptr, std::vector<ds4_buffer*>(kv.classes.size(), nullptr));
  for (std::size_t c = 0; c < kv.classes.size(); ++c) {
    inputs.page_tables.push_back(kv.page_table(c, nullptr));
  }
  inputs.max_compressed = kv.classes.empty() ? 0 : in.context / kv.classes.front().ratio.ratio;
  inputs.sampled = make_view(nullptr, 0, DS4_DTYPE_I32, {in.logits_rows});
  inputs.logits = make_view(nullptr, 0, DS4_DTYPE_F32, {in.logits_rows, config.vocab});
  inputs.selections = in.selections;
  inputs.layer_selections = choices.layers;

  const AskSupport support = questions_.support ? questions_.support : AskSupport(assume_native);
  const std::vector<RatioClass> ratios = ratio_classes(config);
  std::uint64_t arena = 0;
  std::uint64_t step_words = 0;
  for (const StepClass& step : step_classes(in.decode_rows, in.prefill_rows, in.logits_rows)) {
    inputs.step = StepLayout::make(step, ratios, nullptr);
    DS4_TRY(const Plan sized, Plan::build(inputs, support));
    arena = std::max(arena, sized.arena_bytes());
    step_words = std::max(step_words, inputs.step.words);
    plan.staging += inputs.step.words * sizeof(std::int32_t);
    for (const ds4_op* op : sized.ops()) {
      plan.staging += round_up(op->struct_size, kDescriptorAlignment) + sizeof(op);
    }
    if (!questions_.workspace) continue;
    DS4_TRY(const std::uint64_t bytes, questions_.workspace(sized.ops()));
    plan.workspace = std::max(plan.workspace, workspace_lines(bytes));
  }
  // Without a device to ask: the reference wants a fourteenth of the activations of Flash.
  if (!questions_.workspace) plan.workspace = workspace_lines(arena / 8);

  const std::uint64_t logits = std::uint64_t{in.logits_rows} * config.vocab * sizeof(float);
  plan.activations = arena + logits;
  plan.host_logits = logits + 2 * in.logits_rows * sizeof(std::int32_t);
  plan.step += step_words * sizeof(std::int32_t) + in.logits_rows * sizeof(std::int32_t);
  plan.step += choices.bytes;
  plan.staging += choices.bytes;
  return {};
}

Result<std::uint32_t> MemoryPlanner::largest_context(const MemoryLimits& limits) const {
  std::uint32_t low = 0;  // fits, or nothing does
  std::uint32_t high = inputs_.context;
  while (high - low > 1) {
    const std::uint32_t middle = low + (high - low) / 2;
    // A context that cannot even be planned (rows beyond 32 bits) does not fit either.
    const Result<MemoryPlan> tried = plan(middle);
    (tried && fits(*tried, limits) ? low : high) = middle;
  }
  return low;
}

Result<MemoryPlan> MemoryPlanner::fitting_plan(const MemoryLimits& limits) const {
  DS4_TRY(MemoryPlan wanted, plan());
  if (fits(wanted, limits)) return wanted;
  DS4_TRY(const std::uint32_t largest, largest_context(limits));
  const std::string text = shortage(wanted, limits);
  if (largest == 0) {
    return fail(Errc::out_of_memory, text,
                "; no context would fit: a smaller model or more memory is needed");
  }
  return fail(Errc::out_of_memory, text, "; the largest context that fits is ", largest,
              " tokens (--ctx ", largest, ")");
}

MemoryLimits memory_limits(const plugins::Device* maybe_device, const std::filesystem::path& root) {
  MemoryLimits limits;
  limits.host = read_host_memory(root);
  if (maybe_device == nullptr || maybe_device->info().total_bytes == 0) return limits;
  const ds4_device_info& info = maybe_device->info();
  if (!uses_host_memory(*maybe_device)) {
    limits.device = MemoryBound{std::string("free on ") + info.name, info.total_bytes,
                                info.free_bytes != 0 ? info.free_bytes : info.total_bytes};
  } else {
    // The free bytes that such a device reports leave out the page cache; MemAvailable knows
    // better.
    limits.host.bounds.push_back(
        {std::string("all of ") + info.name, info.total_bytes, info.total_bytes});
  }
  return limits;
}

}  // namespace ds4
