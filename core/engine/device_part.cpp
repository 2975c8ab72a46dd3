#include "engine/device_part.hpp"

#include <algorithm>

#include "base/checked.hpp"
#include "engine/memory_kind.hpp"
#include "engine/memory_planner.hpp"
#include "engine/selection_layout.hpp"
#include "ops/views.hpp"

namespace ds4 {

DevicePart::DevicePart(const PartShape& all, std::shared_ptr<plugins::Device> on, DeviceShare has)
    : shape(all), device(std::move(on)), share(std::move(has)) {}

DevicePart::~DevicePart() {
  if (stream) drain();  // copies in flight read and write the engine's memory
}

Result<void> DevicePart::allocate(const KvStore& store, const DeviceMemory& planned) {
  DS4_TRY(memory_kind_, fastest_memory(*device));
  DS4_TRY(stream, device->create_stream());
  DS4_CHECK(allocate_kv(store));
  DS4_CHECK(allocate_results());
  return allocate_steps(planned.workspace);
}

Result<plugins::Buffer> DevicePart::create(std::uint64_t bytes, std::uint32_t usage,
                                           std::string_view what, std::uint64_t& counter) {
  auto buffer = device->create_buffer(bytes, memory_kind_, usage);
  if (!buffer) return buffer.error().in(what, " (", bytes, " bytes)");
  counter += bytes;
  return buffer;
}

Result<void> DevicePart::allocate_kv(const KvStore& store) {
  const EngineOptions& options = *shape.options;
  DS4_TRY(kv, KvLayout::make(shape.model->config(), options.roundings,
                             {options.sessions, options.context, options.pages_percent,
                              options.restore_points},
                             share.layers));
  pools.resize(kv.classes.size());
  tables.resize(kv.classes.size());
  if (!share.has_layers()) return {};
  DS4_TRY(rings, create(kv.ring_bytes(), DS4_USAGE_KV, "rings", memory.rings));
  DS4_TRY(restore_rings,
          create(kv.restore_bytes(), DS4_USAGE_KV, "restore points", memory.restore_points));
  for (std::size_t c = 0; c < kv.classes.size(); ++c) {
    if (kv.classes[c].bytes_per_page == 0) continue;
    DS4_TRY(pools[c], create(kv.pool_bytes(c), DS4_USAGE_KV, "KV pages", memory.pages));
    const auto entries = std::as_bytes(store.page_table(c));
    DS4_TRY(tables[c], create(entries.size(), DS4_USAGE_STEP, "page table", memory.step));
    DS4_CHECK(stream->write(tables[c], 0, entries));
  }
  return stream->sync();
}

Result<void> DevicePart::allocate_results() {
  const ModelConfig& config = shape.model->config();
  const std::uint64_t rows = shape.options->logits_rows;
  DS4_TRY(sampled, create(rows * sizeof(std::int32_t), DS4_USAGE_STEP, "sampled ids", memory.step));
  if (share.has_head) {
    DS4_TRY(logits, create(rows * config.vocab * sizeof(float), DS4_USAGE_ACTIVATION, "logits",
                           memory.activations));
  }
  const Selections kind = shape.options->selections;
  if (kind == Selections::internal || !share.has_layers()) return {};
  SelectionLayout layout = SelectionLayout::make(config, kind, shape.rows(), share.layers);
  selections_ = std::move(layout.layers);
  DS4_TRY(choices_, create(layout.bytes, DS4_USAGE_STEP, "selections", memory.step));
  for (LayerSelections& entry : selections_) {
    if (entry.experts.rank != 0) entry.experts.buffer = choices_->handle();
    if (entry.index.rank != 0) entry.index.buffer = choices_->handle();
  }
  return {};
}

PlanInputs DevicePart::plan_inputs() const {
  const ModelConfig& config = shape.model->config();
  const EngineOptions& options = *shape.options;
  PlanInputs inputs;
  inputs.config = &config;
  inputs.roundings = options.roundings;
  inputs.global = weights_.global;
  inputs.layers = weights_.layers;
  std::vector<ds4_buffer*> pool_handles;
  for (const plugins::Buffer& pool : pools) pool_handles.push_back(pool.handle());
  inputs.kv = kv.views(config, rings ? rings->handle() : nullptr, pool_handles);
  for (std::size_t c = 0; c < tables.size(); ++c) {
    inputs.page_tables.push_back(kv.page_table(c, tables[c].handle()));
  }
  inputs.max_compressed = kv.classes.empty() ? 0 : options.context / kv.classes.front().ratio.ratio;
  inputs.sampled = make_view(sampled->handle(), 0, DS4_DTYPE_I32, {options.logits_rows});
  inputs.logits = make_view(logits ? logits->handle() : nullptr, 0, DS4_DTYPE_F32,
                            {options.logits_rows, config.vocab});
  inputs.selections = options.selections;
  inputs.layer_selections = selections_;
  inputs.streams_experts = shape.experts == Experts::streamed;
  return inputs;
}

/// Every class is planned twice: here to learn the sizes, then over the buffers and weights that
/// exist.
Result<void> DevicePart::allocate_steps(std::uint64_t planned_workspace) {
  const AskSupport support = [this](const ds4_op& op) { return device->op_support(op); };
  PlanInputs inputs = plan_inputs();
  std::uint64_t arena_bytes = 0;
  std::uint64_t step_words = 0;
  for (const Stage& stage : stages) {
    inputs.span = stage.span;
    for (const StepClass& step_class : shape.classes) {
      inputs.step = StepLayout::make(step_class, shape.ratios, nullptr);
      DS4_TRY(const Plan sized, Plan::build(inputs, support));
      arena_bytes = std::max(arena_bytes, sized.arena_bytes());
      step_words = std::max(step_words, inputs.step.words);
    }
  }
  DS4_TRY(arena_, create(arena_bytes, DS4_USAGE_ACTIVATION, "activations", memory.activations));
  DS4_TRY(step_block_,
          create(step_words * sizeof(std::int32_t), DS4_USAGE_STEP, "step block", memory.step));
  DS4_TRY(workspace_,
          create(planned_workspace, DS4_USAGE_ACTIVATION, "workspace", memory.workspace));
  return {};
}

Result<void> DevicePart::load(const WeightProgress& progress) {
  DS4_TRY(weights_,
          load_weights(*shape.model, *device, share, shape.options->log, progress, shape.experts));
  memory.weights = weights_.device_bytes;
  memory.weights_in_place = weights_.in_place_bytes;
  return {};
}

/// A backend may want a little more once it sees the weights themselves.
Result<void> DevicePart::grow(std::optional<plugins::Buffer>& buffer, std::uint64_t bytes,
                              std::string_view what, std::uint64_t& counter) {
  if (bytes <= buffer->bytes()) return {};
  counter -= buffer->bytes();
  buffer.reset();
  DS4_TRY(buffer, create(bytes, DS4_USAGE_ACTIVATION, what, counter));
  return {};
}

Result<void> DevicePart::build_stage(Stage& stage, PlanInputs& inputs, std::uint64_t& arena_bytes,
                                     std::uint64_t& workspace_bytes) {
  const AskSupport support = [this](const ds4_op& op) { return device->op_support(op); };
  stage.plans.clear();
  inputs.span = stage.span;
  for (const StepClass& step_class : shape.classes) {
    inputs.step = StepLayout::make(step_class, shape.ratios, step_block_->handle());
    DS4_TRY(Plan plan, Plan::build(inputs, support));
    DS4_TRY(const std::uint64_t bytes, device->workspace_size(plan.ops()));
    workspace_bytes = std::max(workspace_bytes, workspace_lines(bytes));
    arena_bytes = std::max(arena_bytes, plan.arena_bytes());
    stage.plans.push_back(std::move(plan));
  }
  return {};
}

Result<void> DevicePart::build_plans() {
  PlanInputs inputs = plan_inputs();
  std::uint64_t arena_bytes = 0;
  std::uint64_t workspace_bytes = 0;
  do {
    DS4_CHECK(grow(arena_, arena_bytes, "activations", memory.activations));
    inputs.arena = arena_->handle();
    for (Stage& stage : stages) {
      DS4_CHECK(build_stage(stage, inputs, arena_bytes, workspace_bytes));
    }
  } while (arena_bytes > arena_->bytes());
  DS4_CHECK(grow(workspace_, workspace_bytes, "workspace", memory.workspace));
  if (workspace_bytes > 0) {
    // Two extents, so that the count of values fits at any size.
    const auto lines = static_cast<std::uint32_t>(workspace_bytes / kWorkspaceLine);
    workspace_view_ =
        make_view(workspace_->handle(), 0, DS4_DTYPE_F32, {lines, kWorkspaceLine / sizeof(float)});
  }
  return {};
}

}  // namespace ds4
