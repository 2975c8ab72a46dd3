#include <algorithm>
#include <new>

#include "engine/engine_state.hpp"

namespace ds4 {

Result<void> Engine::State::open() {
  DS4_CHECK(check_options());
  DS4_CHECK(check_placement());
  options.logits_rows = std::min(options.logits_rows, options.decode_rows + prefill_room());
  DS4_CHECK(plan_memory());
  make_parts();
  segments.reserve(options.decode_rows + options.prefill_rows, options.sessions + 1);
  queued_points.reserve(options.restore_points + options.sessions);
  // Everything but the weights comes first: what fails here fails before minutes of loading.
  DS4_CHECK(allocate());
  DS4_CHECK(allocate_results());
  DS4_CHECK(load_parts());
  for (const auto& part : parts) memory += part->memory;
  if (expert_cache) memory.expert_cache = memory_plan.experts->bytes();
  return open_shadow();
}

/// Prefill rows that a step can have: those that no session has room for would only take memory.
std::uint32_t Engine::State::prefill_room() const {
  return std::min(options.prefill_rows, options.context);
}

Result<void> Engine::State::plan_memory() {
  DS4_TRY(MemoryPlanner planner,
          MemoryPlanner::make(model, MemoryPlanInputs::of(options), PlacedQuestions::of(devices)));
  std::vector<std::shared_ptr<plugins::Device>> all = devices.devices;
  if (options.shadow.device) {
    DS4_CHECK(planner.add_shadow(*options.shadow.device));
    all.push_back(options.shadow.device);
  }
  DS4_TRY(memory_plan, planner.fitting_plan(memory_limits(all)));
  if (options.on_plan) options.on_plan(memory_plan);
  return memory_plan.experts ? open_experts(*planner.experts()) : Result<void>{};
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
  DS4_CHECK(in_range("pages percent", options.pages_percent, 1, 100));
  return in_range("every of the shadow", options.shadow.every, 1, UINT32_MAX);
}

Result<void> Engine::State::check_placement() const {
  const Placement& placement = devices.placement;
  const std::size_t count = devices.devices.size();
  if (placement.layers.size() != model.config().layers) {
    return fail(Errc::invalid_argument, "the placement is for ", placement.layers.size(),
                " layers, the model has ", model.config().layers);
  }
  if (options.shadow.device && count > 1) {
    return fail(Errc::unsupported, "a shadow checks a model on one device, this one is on ", count);
  }
  std::vector<bool> is_used(count, false);
  for (const PlacedSpan& span : placement.spans()) {
    if (span.device >= count) {
      return fail(Errc::invalid_argument, "the placement names device ", span.device, " of ",
                  count);
    }
    is_used[span.device] = true;
  }
  if (const auto idle = std::find(is_used.begin(), is_used.end(), false); idle != is_used.end()) {
    return fail(Errc::invalid_argument, "the placement has nothing for device ",
                idle - is_used.begin());
  }
  return {};
}

void Engine::State::make_parts() {
  part_shape.model = &model;
  part_shape.options = &options;
  part_shape.prefill_room = prefill_room();
  part_shape.classes =
      step_classes(options.decode_rows, part_shape.prefill_room, options.logits_rows);
  part_shape.ratios = ratio_classes(model.config());
  part_shape.experts = expert_cache ? Experts::streamed : Experts::resident;
  for (std::size_t d = 0; d < devices.devices.size(); ++d) {
    parts.push_back(
        std::make_unique<DevicePart>(part_shape, devices.devices[d], devices.placement.share(d)));
  }
  for (const PlacedSpan& span : devices.placement.spans()) {
    std::vector<Stage>& of_part = parts[span.device]->stages;
    stages.push_back({span.device, of_part.size()});
    of_part.push_back({span.span, {}});
  }
}

Result<void> Engine::State::allocate() {
  const ModelConfig& config = model.config();
  DS4_TRY(kv, KvLayout::make(config, options.roundings,
                             {options.sessions, options.context, options.pages_percent,
                              options.restore_points}));
  store = KvStore(kv, options.decode_rows + options.prefill_rows);
  geometry.slots = options.sessions;
  geometry.window = config.window;
  geometry.ring_capacity = kv.ring_capacity;
  geometry.classes = part_shape.ratios;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const DevicePart& part = *parts[p];
    if (auto done = parts[p]->allocate(store, memory_plan.devices[p]); !done) {
      if (parts.size() == 1) return done;
      return done.error().in(part.share.text(), " on ", device_name(*part.device));
    }
  }
  for (const StepClass& step_class : part_shape.classes) {
    StepLayout layout = StepLayout::make(step_class, part_shape.ratios, nullptr);
    std::vector<std::int32_t> words(layout.words);
    blocks.push_back({std::move(layout), std::move(words)});
  }
  return {};
}

Result<void> Engine::State::allocate_results() {
  const ModelConfig& config = model.config();
  const std::uint64_t rows = options.logits_rows;
  const std::uint32_t most = part_shape.rows();
  const std::uint64_t between =
      stages.size() > 1 ? std::uint64_t{most} * config.streams * config.width : 0;
  try {
    host_logits.resize(rows * config.vocab);
    host_argmax.resize(rows);
    previous_argmax.resize(rows);
    streams.resize(between);
  } catch (const std::bad_alloc&) {
    return fail(Errc::out_of_memory, "no host memory for the logits of ", rows, " rows and what ",
                most, " rows carry between devices (",
                (rows * config.vocab + between) * sizeof(float), " bytes)");
  }
  if (options.selections == Selections::internal) return {};
  host_choices.resize(config.layers);
  for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
    const bool is_sparse = config.kind(layer) == LayerKind::sparse;
    selection_widths.push_back(is_sparse ? config.index_top_k : 0);
    host_choices[layer].experts.reserve(std::size_t{most} * config.experts_used);
    host_choices[layer].index.reserve(std::size_t{most} * selection_widths.back());
  }
  return {};
}

Result<void> Engine::State::load_parts() {
  LoadProgress progress;
  progress.total = bytes_to_load(weight_items(model), part_shape.experts);
  for (const auto& part : parts) {
    const std::uint64_t before = progress.done;
    const auto say = [&](std::uint64_t done, std::uint64_t, std::string_view tensor) {
      progress.done = before + done;
      progress.tensor = tensor;
      if (options.on_load) options.on_load(progress);
    };
    DS4_CHECK(part->load(say));
    DS4_CHECK(part->build_plans());
  }
  return {};
}

}  // namespace ds4
