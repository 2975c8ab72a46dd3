#include <algorithm>
#include <new>

#include "base/checked.hpp"
#include "engine/engine_state.hpp"
#include "engine/selection_layout.hpp"
#include "ops/views.hpp"

namespace ds4 {

Engine::State::~State() {
  if (stream) drain();  // copies in flight read and write the members below
}

Result<void> Engine::State::open() {
  DS4_CHECK(check_options());
  options.logits_rows = std::min(options.logits_rows, options.decode_rows + prefill_room());
  DS4_CHECK(choose_memory());
  DS4_CHECK(plan_memory());
  DS4_TRY(stream, device->create_stream());
  segments.reserve(options.decode_rows + options.prefill_rows, options.sessions + 1);
  // Everything but the weights comes first: what fails here fails before minutes of loading.
  DS4_CHECK(allocate_kv());
  DS4_CHECK(allocate_results());
  DS4_CHECK(allocate_steps());
  DS4_TRY(weights,
          load_weights(model, *device, options.log,
                       [this](std::uint64_t done, std::uint64_t total, std::string_view tensor) {
                         if (options.on_load) options.on_load({done, total, tensor});
                       }));
  memory.weights = weights.device_bytes;
  memory.weights_in_place = weights.in_place_bytes;
  return build_plans();
}

/// Prefill rows that a step can have: those that no session has room for would only take memory.
std::uint32_t Engine::State::prefill_room() const {
  return std::min(options.prefill_rows, options.context);
}

Result<void> Engine::State::plan_memory() {
  DS4_TRY(const MemoryPlanner planner, MemoryPlanner::make(model, MemoryPlanInputs::of(options),
                                                           PlanQuestions::of(device.get())));
  DS4_TRY(memory_plan, planner.fitting_plan(memory_limits(device.get())));
  return {};
}

Result<void> Engine::State::check_options() const {
  const auto in_range = [](std::string_view name, std::uint32_t value, std::uint32_t low,
                           std::uint32_t high) -> Result<void> {
    if (value >= low && value <= high) return {};
    return fail(Errc::invalid_argument, name, " must be ", low, "..", high, ", is ", value);
  };
  DS4_CHECK(in_range("context", options.context, 1, kMostContext));
  DS4_CHECK(in_range("sessions", options.sessions, 1, 4096));
  DS4_CHECK(in_range("decode rows", options.decode_rows, 1, 4096));
  DS4_CHECK(in_range("prefill rows", options.prefill_rows, 1, 65536));
  DS4_CHECK(in_range("restore points", options.restore_points, 0, 1024));
  DS4_CHECK(
      in_range("logits rows", options.logits_rows, 1, options.decode_rows + options.prefill_rows));
  return in_range("pages percent", options.pages_percent, 1, 100);
}

/// Everything that ops touch lies where they run fastest; the order of the device's table has no
/// meaning.
Result<void> Engine::State::choose_memory() {
  for (const std::uint32_t kind :
       {DS4_MEMORY_DEVICE, DS4_MEMORY_UNIFIED, DS4_MEMORY_HOST, DS4_MEMORY_HOST_PINNED}) {
    if (device->memory_kind(kind) == nullptr) continue;
    memory_kind = kind;
    return {};
  }
  return fail(Errc::unsupported, "device ", device->info().name, " names no kind of memory");
}

Result<plugins::Buffer> Engine::State::create(std::uint64_t bytes, std::uint32_t usage,
                                              std::string_view what, std::uint64_t& counter) {
  auto buffer = device->create_buffer(bytes, memory_kind, usage);
  if (!buffer) return buffer.error().in(what, " (", bytes, " bytes)");
  counter += bytes;
  return buffer;
}

Result<void> Engine::State::allocate_kv() {
  const ModelConfig& config = model.config();
  DS4_TRY(kv, KvLayout::make(config, options.roundings,
                             {options.sessions, options.context, options.pages_percent,
                              options.restore_points}));
  store = KvStore(kv, options.decode_rows + options.prefill_rows);
  geometry.slots = options.sessions;
  geometry.window = config.window;
  geometry.ring_capacity = kv.ring_capacity;
  DS4_TRY(rings, create(kv.ring_bytes(), DS4_USAGE_KV, "rings", memory.rings));
  DS4_TRY(restore_rings,
          create(kv.restore_bytes(), DS4_USAGE_KV, "restore points", memory.restore_points));
  for (std::size_t c = 0; c < kv.classes.size(); ++c) {
    geometry.classes.push_back(kv.classes[c].ratio);
    DS4_TRY(plugins::Buffer pool, create(kv.pool_bytes(c), DS4_USAGE_KV, "KV pages", memory.pages));
    pool_buffers.push_back(std::move(pool));
    const auto entries = std::as_bytes(store.page_table(c));
    DS4_TRY(plugins::Buffer table,
            create(entries.size(), DS4_USAGE_STEP, "page table", memory.step));
    DS4_CHECK(stream->write(table, 0, entries));
    table_buffers.push_back(std::move(table));
  }
  return stream->sync();
}

Result<void> Engine::State::allocate_results() {
  const ModelConfig& config = model.config();
  const std::uint64_t rows = options.logits_rows;
  DS4_TRY(sampled, create(rows * sizeof(std::int32_t), DS4_USAGE_STEP, "sampled ids", memory.step));
  DS4_TRY(logits, create(rows * config.vocab * sizeof(float), DS4_USAGE_ACTIVATION, "logits",
                         memory.activations));
  try {
    host_logits.resize(rows * config.vocab);
    host_argmax.resize(rows);
    previous_argmax.resize(rows);
  } catch (const std::bad_alloc&) {
    return fail(Errc::out_of_memory, "no host memory for the logits of ", rows, " rows (",
                rows * config.vocab * sizeof(float), " bytes)");
  }
  if (options.selections == Selections::internal) return {};

  const std::uint32_t most = options.decode_rows + prefill_room();
  SelectionLayout layout = SelectionLayout::make(config, options.selections, most);
  selections = std::move(layout.layers);
  DS4_TRY(choices, create(layout.bytes, DS4_USAGE_STEP, "selections", memory.step));
  for (LayerSelections& entry : selections) {
    entry.experts.buffer = choices->handle();
    if (entry.index.rank != 0) entry.index.buffer = choices->handle();
  }
  host_choices.resize(config.layers);
  for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
    host_choices[layer].experts.reserve(std::size_t{most} * config.experts_used);
    if (selections[layer].index.rank == 0) continue;
    host_choices[layer].index.reserve(std::size_t{most} * config.index_top_k);
  }
  return {};
}

PlanInputs Engine::State::plan_inputs() const {
  PlanInputs inputs;
  inputs.config = &model.config();
  inputs.roundings = options.roundings;
  inputs.global = weights.global;
  inputs.layers = weights.layers;
  std::vector<ds4_buffer*> pool_handles;
  for (const plugins::Buffer& pool : pool_buffers) pool_handles.push_back(pool.handle());
  inputs.kv = kv.views(model.config(), rings->handle(), pool_handles);
  for (std::size_t c = 0; c < table_buffers.size(); ++c) {
    inputs.page_tables.push_back(kv.page_table(c, table_buffers[c].handle()));
  }
  inputs.max_compressed = kv.classes.empty() ? 0 : options.context / kv.classes.front().ratio.ratio;
  inputs.sampled = make_view(sampled->handle(), 0, DS4_DTYPE_I32, {options.logits_rows});
  inputs.logits =
      make_view(logits->handle(), 0, DS4_DTYPE_F32, {options.logits_rows, model.config().vocab});
  inputs.selections = options.selections;
  inputs.layer_selections = selections;
  return inputs;
}

std::vector<StepClass> Engine::State::classes_to_plan() const {
  return step_classes(options.decode_rows, prefill_room(), options.logits_rows);
}

/// Every class is planned twice: here to learn the sizes, then over the buffers and weights that
/// exist.
Result<void> Engine::State::allocate_steps() {
  const AskSupport support = [this](const ds4_op& op) { return device->op_support(op); };
  PlanInputs inputs = plan_inputs();
  std::uint64_t arena_bytes = 0;
  std::uint64_t step_words = 0;
  for (const StepClass& step_class : classes_to_plan()) {
    inputs.step = StepLayout::make(step_class, geometry.classes, nullptr);
    DS4_TRY(const Plan sized, Plan::build(inputs, support));
    arena_bytes = std::max(arena_bytes, sized.arena_bytes());
    step_words = std::max(step_words, inputs.step.words);
  }
  DS4_TRY(arena, create(arena_bytes, DS4_USAGE_ACTIVATION, "activations", memory.activations));
  DS4_TRY(step_block,
          create(step_words * sizeof(std::int32_t), DS4_USAGE_STEP, "step block", memory.step));
  DS4_TRY(workspace,
          create(memory_plan.workspace, DS4_USAGE_ACTIVATION, "workspace", memory.workspace));
  return {};
}

/// A backend may want a little more once it sees the weights themselves.
Result<void> Engine::State::grow(std::optional<plugins::Buffer>& buffer, std::uint64_t bytes,
                                 std::string_view what, std::uint64_t& counter) {
  if (bytes <= buffer->bytes()) return {};
  counter -= buffer->bytes();
  buffer.reset();
  DS4_TRY(buffer, create(bytes, DS4_USAGE_ACTIVATION, what, counter));
  return {};
}

Result<void> Engine::State::build_plans() {
  const AskSupport support = [this](const ds4_op& op) { return device->op_support(op); };
  PlanInputs inputs = plan_inputs();
  std::uint64_t arena_bytes = 0;
  std::uint64_t workspace_bytes = 0;
  do {
    DS4_CHECK(grow(arena, arena_bytes, "activations", memory.activations));
    inputs.arena = arena->handle();
    classes.clear();
    for (const StepClass& step_class : classes_to_plan()) {
      inputs.step = StepLayout::make(step_class, geometry.classes, step_block->handle());
      DS4_TRY(Plan plan, Plan::build(inputs, support));
      DS4_TRY(const std::uint64_t bytes, device->workspace_size(plan.ops()));
      workspace_bytes = std::max(workspace_bytes, workspace_lines(bytes));
      arena_bytes = std::max(arena_bytes, plan.arena_bytes());
      classes.push_back({std::move(plan), std::vector<std::int32_t>(inputs.step.words)});
    }
  } while (arena_bytes > arena->bytes());
  DS4_CHECK(grow(workspace, workspace_bytes, "workspace", memory.workspace));
  if (workspace_bytes > 0) {
    // Two extents, so that the count of values fits at any size.
    const auto lines = static_cast<std::uint32_t>(workspace_bytes / kWorkspaceLine);
    workspace_view =
        make_view(workspace->handle(), 0, DS4_DTYPE_F32, {lines, kWorkspaceLine / sizeof(float)});
  }
  return {};
}

}  // namespace ds4
