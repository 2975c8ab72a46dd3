#include <algorithm>
#include <new>

#include "base/checked.hpp"
#include "engine/engine_state.hpp"
#include "ops/views.hpp"

namespace ds4 {
namespace {

constexpr std::uint32_t kWorkspaceLine = 4096;  // bytes

}  // namespace

Engine::State::~State() {
  if (stream) drain();  // copies in flight read and write the members below
}

Result<void> Engine::State::open() {
  DS4_CHECK(check_options());
  DS4_CHECK(choose_memory());
  DS4_TRY(stream, device->create_stream());
  DS4_TRY(weights,
          load_weights(model, *device, options.log,
                       [this](std::uint64_t done, std::uint64_t total, std::string_view tensor) {
                         if (options.on_load) options.on_load({done, total, tensor});
                       }));
  memory.weights = weights.device_bytes;
  memory.weights_in_place = weights.in_place_bytes;
  segments.reserve(options.decode_rows + options.prefill_rows, options.sessions + 1);
  DS4_CHECK(allocate_kv());
  DS4_CHECK(allocate_results());
  return build_plans();
}

Result<void> Engine::State::check_options() const {
  const auto in_range = [](std::string_view name, std::uint32_t value, std::uint32_t low,
                           std::uint32_t high) -> Result<void> {
    if (value >= low && value <= high) return {};
    return fail(Errc::invalid_argument, name, " must be ", low, "..", high, ", is ", value);
  };
  // Positions are i32 in the step block and exact in f32 for RoPE up to 2^24.
  DS4_CHECK(in_range("context", options.context, 1, 1U << 24));
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

  const std::uint32_t most = options.decode_rows + options.prefill_rows;
  std::uint64_t offset = 0;
  const auto place = [&offset, most](std::uint32_t columns) {
    const ds4_view view = make_view(nullptr, offset, DS4_DTYPE_I32, {most, columns});
    offset = round_up(offset + view_span_bytes(view), 256);
    return view;
  };
  for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
    LayerSelections entry{};
    entry.experts = place(config.experts_used);
    if (config.kind(layer) == LayerKind::sparse) entry.index = place(config.index_top_k);
    selections.push_back(entry);
  }
  DS4_TRY(choices, create(offset, DS4_USAGE_STEP, "selections", memory.step));
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

std::vector<StepClass> Engine::State::step_classes() const {
  std::vector<StepClass> classes_out;
  for (std::uint32_t rows = 1;; rows *= 2) {
    const std::uint32_t bucket = std::min(rows, options.decode_rows);
    classes_out.push_back({bucket, 0, std::min(bucket, options.logits_rows)});
    if (bucket == options.decode_rows) break;
  }
  classes_out.push_back({options.decode_rows, options.prefill_rows, options.logits_rows});
  return classes_out;
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

/// Every class is planned twice: once to learn the sizes, once over the buffers that then exist.
Result<void> Engine::State::build_plans() {
  const AskSupport support = [this](const ds4_op& op) { return device->op_support(op); };
  PlanInputs inputs = plan_inputs();
  std::uint64_t arena_bytes = 0;
  std::uint64_t step_words = 0;
  for (const StepClass& step_class : step_classes()) {
    inputs.step = StepLayout::make(step_class, geometry.classes, nullptr);
    DS4_TRY(const Plan sized, Plan::build(inputs, support));
    arena_bytes = std::max(arena_bytes, sized.arena_bytes());
    step_words = std::max(step_words, inputs.step.words);
  }
  DS4_TRY(arena, create(arena_bytes, DS4_USAGE_ACTIVATION, "activations", memory.activations));
  DS4_TRY(step_block,
          create(step_words * sizeof(std::int32_t), DS4_USAGE_STEP, "step block", memory.step));
  inputs.arena = arena->handle();

  std::uint64_t workspace_bytes = 0;
  for (const StepClass& step_class : step_classes()) {
    inputs.step = StepLayout::make(step_class, geometry.classes, step_block->handle());
    DS4_TRY(Plan plan, Plan::build(inputs, support));
    DS4_TRY(const std::uint64_t bytes, device->workspace_size(plan.ops()));
    workspace_bytes = std::max(workspace_bytes, round_up(bytes, kWorkspaceLine));
    classes.push_back({std::move(plan), std::vector<std::int32_t>(inputs.step.words)});
  }
  DS4_TRY(workspace, create(workspace_bytes, DS4_USAGE_ACTIVATION, "workspace", memory.workspace));
  if (workspace_bytes > 0) {
    // Two extents, so that the count of values fits at any size.
    const auto lines = static_cast<std::uint32_t>(workspace_bytes / kWorkspaceLine);
    workspace_view =
        make_view(workspace->handle(), 0, DS4_DTYPE_F32, {lines, kWorkspaceLine / sizeof(float)});
  }
  return {};
}

}  // namespace ds4
