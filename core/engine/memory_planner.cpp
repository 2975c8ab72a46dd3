#include "engine/memory_planner.hpp"

#include <algorithm>
#include <utility>

#include "base/checked.hpp"
#include "engine/engine.hpp"
#include "engine/selection_layout.hpp"
#include "kv/kv_layout.hpp"
#include "ops/views.hpp"

namespace ds4 {
namespace {

// A program with its libraries, a backend and their heaps, before a model is opened: measured 12 to
// 16 MiB on Debian 12 (docs/memory.md).
constexpr std::uint64_t kProgramBytes = 16ULL << 20;
// The header is kept as a copy; the tokenizer keeps its strings once more in hash tables.
constexpr std::uint64_t kHeaderCopies = 4;
// Rounding of the sizes of descriptors in a plan.
constexpr std::uint64_t kDescriptorAlignment = 16;

/// A device that can do everything, where none is asked.
Result<plugins::OpSupport> assume_native(const ds4_op&) {
  return plugins::OpSupport{plugins::SupportLevel::native, ""};
}

}  // namespace

Result<ds4_weight_answer> assume_in_place(const ds4_weight_desc& desc) {
  ds4_weight_answer answer{};
  answer.struct_size = sizeof(answer);
  answer.accepted = 1;
  answer.in_place = 1;
  if ((desc.flags & DS4_WEIGHT_STREAMED) == 0) return answer;
  const bool is_down = desc.role == DS4_ROLE_EXPERT_DOWN;
  answer.expert_bytes[is_down ? 1 : 0] = desc.bytes / desc.extent[0] * (is_down ? 1 : 2);
  return answer;
}

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
  inputs.experts = options.experts;
  return inputs;
}

PlanQuestions PlanQuestions::of(plugins::Device* maybe_device) {
  PlanQuestions questions;
  if (maybe_device == nullptr) return questions;
  plugins::Device& device = *maybe_device;
  questions.device = device_name(device);
  questions.shares_host_memory = device.uses_host_memory();
  questions.weight = [&device](const ds4_weight_desc& desc) { return device.weight_query(desc); };
  questions.packs_experts = device.packs_experts();
  questions.streamed = [&device](const ModelFile& model, const WeightItem& item) {
    return import_streamed(model, device, item);
  };
  questions.support = [&device](const ds4_op& op) { return device.op_support(op); };
  questions.workspace = [&device](std::span<const ds4_op* const> ops) {
    return device.workspace_size(ops);
  };
  return questions;
}

std::string device_name(const plugins::Device& device) {
  std::string name = device.backend().name();
  if (device.index() != 0) name.append(":").append(std::to_string(device.index()));
  return name;
}

PlacedQuestions PlacedQuestions::of(const EngineDevices& devices) {
  PlacedQuestions out;
  for (const auto& device : devices.devices) {
    out.devices.push_back(PlanQuestions::of(device.get()));
  }
  out.placement = devices.placement;
  return out;
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

/// Where an error lies, for an engine of several devices.
std::string MemoryPlanner::Part::place() const {
  return share.text() + " on " + questions.device;
}

Result<MemoryPlanner> MemoryPlanner::make(const ModelFile& model, MemoryPlanInputs inputs,
                                          PlacedQuestions questions) {
  if (inputs.context < 1 || inputs.context > kMostContext) {
    return fail(Errc::invalid_argument, "context must be 1..", kMostContext, ", is ",
                inputs.context);
  }
  MemoryPlanner planner(model, inputs);
  for (std::size_t d = 0; d < questions.devices.size(); ++d) {
    Part& part = planner.parts_.emplace_back();
    part.questions = std::move(questions.devices[d]);
    part.share = questions.placement.share(d);
  }
  for (const PlacedSpan& span : questions.placement.spans()) {
    planner.parts_[span.device].spans.push_back(span.span);
  }
  for (Part& part : planner.parts_) {
    const Result<void> added = planner.add_weights(part);
    if (!added) return planner.is_placed() ? added.error().in(part.place()) : added.error();
  }
  DS4_CHECK(planner.add_experts());
  return planner;
}

Result<MemoryPlanner> MemoryPlanner::make(const ModelFile& model, MemoryPlanInputs inputs,
                                          PlanQuestions questions) {
  PlacedQuestions placed;
  placed.devices.push_back(std::move(questions));
  placed.placement = Placement::single(model.config().layers);
  return make(model, inputs, std::move(placed));
}

namespace {

void add_weight(WeightMemory& weights, const WeightItem& item, const WeightChoice& choice) {
  ++weights.tensors;
  if (choice.is_in_place) {
    weights.in_place += item.tensor->bytes;
    return;
  }
  (choice.is_converted ? weights.converted : weights.copied) += choice.device_bytes();
  weights.converted_source += choice.is_converted ? item.tensor->bytes : 0;
}

}  // namespace

Result<void> MemoryPlanner::add_weights(Part& part) {
  const AskWeight ask = part.questions.weight ? part.questions.weight : AskWeight(assume_in_place);
  WeightMemory& weights = part.weights;
  for (const WeightItem& item : weight_items(*model_, part.share)) {
    const std::string name(item.tensor->name);
    DS4_TRY(const WeightChoice choice, choose_weight(*model_, item, name, ask));
    part.in_place.push_back(choice.is_in_place ? item.tensor->bytes : 0);
    add_weight(weights, item, choice);
    if (!holds_experts(item.role)) add_weight(part.without_experts, item, choice);
    if (choice.is_in_place) continue;
    DS4_CHECK(load_memory_.add(*model_, *item.tensor, choice));
  }
  return {};
}

Result<MemoryPlan> MemoryPlanner::plan(std::uint32_t context) const {
  return plan(context, asked());
}

Result<MemoryPlan> MemoryPlanner::plan(std::uint32_t context, Experts experts) const {
  MemoryPlanInputs in = inputs_;
  in.context = context;
  in.prefill_rows = std::min(in.prefill_rows, context);
  in.logits_rows = std::min(in.logits_rows, in.decode_rows + in.prefill_rows);
  MemoryPlan plan;
  plan.context = context;
  plan.sessions = in.sessions;
  plan.prefill_rows = in.prefill_rows;
  plan.decode_rows = in.decode_rows;
  plan.is_estimate = !parts_.front().questions.weight;
  plan.program = kProgramBytes + kHeaderCopies * model_->gguf().data_offset();
  plan.staging = load_memory_.bytes();
  DS4_TRY(const KvLayout kv,
          KvLayout::make(model_->config(), in.roundings,
                         {in.sessions, in.context, in.pages_percent, in.restore_points}));
  add_host(plan, in, kv);
  for (const Part& part : parts_) {
    auto memory = plan_part(part, in, experts, plan.staging);
    if (!memory) return is_placed() ? memory.error().in(part.place()) : memory.error();
    plan += *memory;
    plan.devices.push_back(*std::move(memory));
  }
  if (shadow_) DS4_CHECK(plan_shadow(plan));
  if (experts == Experts::streamed) DS4_CHECK(add_cache(plan));
  return plan;
}

/// What the host holds whatever the devices are.
void MemoryPlanner::add_host(MemoryPlan& plan, const MemoryPlanInputs& in,
                             const KvLayout& kv) const {
  const ModelConfig& config = model_->config();
  for (const KvLayout::Class& entry : kv.classes) {
    plan.staging +=
        sizeof(std::int32_t) * std::uint64_t{in.sessions} * std::max(entry.session_pages, 1U);
    // The pool's counts of holders and its stack of free ids; the ids that each session and each
    // restore point holds.
    plan.staging += 3 * sizeof(std::uint32_t) * std::uint64_t{entry.pages};
    plan.staging += sizeof(std::uint32_t) * std::uint64_t{entry.session_pages} *
                    (std::uint64_t{in.sessions} + in.restore_points);
  }
  plan.staging += sizeof(std::int32_t) * std::uint64_t{in.sessions} * in.context;  // token ids
  const std::vector<RatioClass> ratios = ratio_classes(config);
  for (const StepClass& step : step_classes(in.decode_rows, in.prefill_rows, in.logits_rows)) {
    plan.staging += StepLayout::make(step, ratios, nullptr).words * sizeof(std::int32_t);
  }
  const std::uint64_t rows = std::uint64_t{in.decode_rows} + in.prefill_rows;
  if (is_placed()) plan.streams = rows * config.streams * config.width * sizeof(float);
  plan.host_logits = std::uint64_t{in.logits_rows} * config.vocab * sizeof(float) +
                     2 * in.logits_rows * sizeof(std::int32_t);
}

Result<DeviceMemory> MemoryPlanner::plan_part(const Part& part, const MemoryPlanInputs& in,
                                              Experts experts, std::uint64_t& staging) const {
  DeviceMemory memory;
  memory.device = part.questions.device;
  memory.share = part.share.text();
  memory.shares_host_memory = part.questions.shares_host_memory;
  memory.weights = experts == Experts::streamed ? part.without_experts : part.weights;
  DS4_TRY(const KvLayout kv,
          KvLayout::make(model_->config(), in.roundings,
                         {in.sessions, in.context, in.pages_percent, in.restore_points},
                         part.share.layers));
  memory.slot_bytes = kv.slot_bytes;
  memory.rings = kv.ring_bytes();
  memory.restore_points = kv.restore_bytes();
  for (const KvLayout::Class& entry : kv.classes) {
    memory.pages.push_back({entry.ratio.ratio, entry.pages, entry.bytes_per_page});
    if (entry.bytes_per_page == 0) continue;
    memory.step +=
        sizeof(std::int32_t) * std::uint64_t{in.sessions} * std::max(entry.session_pages, 1U);
  }
  DS4_CHECK(add_steps(part, in, kv, experts, memory, staging));
  return memory;
}

Result<void> MemoryPlanner::add_steps(const Part& part, const MemoryPlanInputs& in,
                                      const KvLayout& kv, Experts experts, DeviceMemory& memory,
                                      std::uint64_t& staging) const {
  const ModelConfig& config = model_->config();
  const PlanQuestions& questions = part.questions;
  const SelectionLayout choices = SelectionLayout::make(
      config, in.selections, in.decode_rows + in.prefill_rows, part.share.layers);
  PlanInputs inputs;
  inputs.config = &config;
  inputs.roundings = in.roundings;
  inputs.streams_experts = experts == Experts::streamed;
  if (inputs.streams_experts) inputs.layers = part.tables;
  inputs.kv = kv.views(config, nullptr, std::vector<ds4_buffer*>(kv.classes.size(), nullptr));
  for (std::size_t c = 0; c < kv.classes.size(); ++c) {
    inputs.page_tables.push_back(kv.page_table(c, nullptr));
  }
  inputs.max_compressed = kv.classes.empty() ? 0 : in.context / kv.classes.front().ratio.ratio;
  inputs.sampled = make_view(nullptr, 0, DS4_DTYPE_I32, {in.logits_rows});
  inputs.logits = make_view(nullptr, 0, DS4_DTYPE_F32, {in.logits_rows, config.vocab});
  inputs.selections = in.selections;
  inputs.layer_selections = choices.layers;

  const AskSupport support = questions.support ? questions.support : AskSupport(assume_native);
  const std::vector<RatioClass> ratios = ratio_classes(config);
  std::uint64_t arena = 0;
  std::uint64_t step_words = 0;
  for (const StepClass& step : step_classes(in.decode_rows, in.prefill_rows, in.logits_rows)) {
    inputs.step = StepLayout::make(step, ratios, nullptr);
    step_words = std::max(step_words, inputs.step.words);
    for (const PassSpan& span : part.spans) {
      inputs.span = span;
      DS4_TRY(const Plan sized, Plan::build(inputs, support));
      arena = std::max(arena, sized.arena_bytes());
      for (const ds4_op* op : sized.ops()) {
        staging += round_up(op->struct_size, kDescriptorAlignment) + sizeof(op);
      }
      if (!questions.workspace) continue;
      DS4_TRY(const std::uint64_t bytes, questions.workspace(sized.ops()));
      memory.workspace = std::max(memory.workspace, workspace_lines(bytes));
    }
  }
  // Without a device to ask: the reference wants a fourteenth of the activations of Flash.
  if (!questions.workspace) memory.workspace = workspace_lines(arena / 8);

  memory.activations = arena;
  if (part.share.has_head) {
    memory.activations += std::uint64_t{in.logits_rows} * config.vocab * sizeof(float);
  }
  memory.step += step_words * sizeof(std::int32_t) + in.logits_rows * sizeof(std::int32_t);
  memory.step += choices.bytes;
  staging += choices.bytes;
  return {};
}

Result<std::uint32_t> MemoryPlanner::largest_context(const MemoryLimits& limits) const {
  DS4_TRY(const MemoryPlan best, best_plan(limits));
  return largest_context(limits, best.experts ? Experts::streamed : Experts::resident);
}

Result<std::uint32_t> MemoryPlanner::largest_context(const MemoryLimits& limits,
                                                     Experts experts) const {
  std::uint32_t low = 0;  // fits, or nothing does
  std::uint32_t high = inputs_.context;
  while (high - low > 1) {
    const std::uint32_t middle = low + (high - low) / 2;
    // A context that cannot even be planned (rows beyond 32 bits) does not fit either.
    const Result<MemoryPlan> tried = plan(middle, experts);
    (tried && fits(*tried, limits) ? low : high) = middle;
  }
  return low;
}

Result<MemoryPlan> MemoryPlanner::fitting_plan(const MemoryLimits& limits) const {
  DS4_TRY(MemoryPlan wanted, best_plan(limits));
  if (fits(wanted, limits)) return wanted;
  DS4_TRY(const std::uint32_t largest,
          largest_context(limits, wanted.experts ? Experts::streamed : Experts::resident));
  std::string text = shortage(wanted, limits);
  if (largest == 0) {
    text += "; no context would fit: a smaller model or more memory is needed";
    std::string why_not = cannot_stream_;
    if (experts_ && !wanted.experts) {
      const Result<MemoryPlan> streamed = plan(inputs_.context, Experts::streamed);
      if (!streamed) why_not = streamed.error().what;
    }
    if (!why_not.empty()) text.append("; no expert cache: ").append(why_not);
    return fail(Errc::out_of_memory, text);
  }
  return fail(Errc::out_of_memory, text, "; the largest context that fits is ", largest,
              " tokens (--ctx ", largest, ")");
}

namespace {

/// Whether two entries stand for one piece of hardware, reached by two backends.
bool is_same_hardware(const ds4_device_info& a, const ds4_device_info& b) {
  const auto is_set = [](std::uint8_t byte) { return byte != 0; };
  return std::any_of(std::begin(a.unique_id), std::end(a.unique_id), is_set) &&
         std::equal(std::begin(a.unique_id), std::end(a.unique_id), std::begin(b.unique_id));
}

}  // namespace

MemoryLimits memory_limits(std::span<const std::shared_ptr<plugins::Device>> devices,
                           const std::filesystem::path& root) {
  MemoryLimits limits;
  limits.host = read_host_memory(root);
  for (std::size_t d = 0; d < devices.size(); ++d) {
    const ds4_device_info& info = devices[d]->info();
    if (info.total_bytes == 0) continue;
    if (devices[d]->uses_host_memory()) {
      // The free bytes that such a device reports leave out the page cache; MemAvailable knows
      // better.
      const std::string source = std::string("all of ") + info.name;
      const bool is_known =
          std::any_of(limits.host.bounds.begin(), limits.host.bounds.end(),
                      [&source](const MemoryBound& bound) { return bound.source == source; });
      if (!is_known) limits.host.bounds.push_back({source, info.total_bytes, info.total_bytes});
      continue;
    }
    const std::uint64_t free = info.free_bytes != 0 ? info.free_bytes : info.total_bytes;
    const auto known = std::find_if(limits.devices.begin(), limits.devices.end(), [&](auto& limit) {
      return is_same_hardware(devices[limit.of.front()]->info(), info);
    });
    if (known == limits.devices.end()) {
      limits.devices.push_back(
          {{std::string("free on ") + info.name, info.total_bytes, free}, {d}});
    } else {
      known->of.push_back(d);
      known->bound.available = std::min(known->bound.available, free);
    }
  }
  return limits;
}

}  // namespace ds4
