#include "validate/layer_side.hpp"

#include <algorithm>
#include <cstring>

#include "base/checked.hpp"
#include "ops/views.hpp"

namespace ds4::validate {

Result<std::unique_ptr<LayerSide>> LayerSide::make(std::shared_ptr<plugins::Device> device,
                                                   const LayerSetup& setup, HeldWeights weights) {
  auto side = std::make_unique<LayerSide>();
  side->device_ = std::move(device);
  side->weights_ = std::move(weights);
  DS4_CHECK(side->create(setup));
  return side;
}

Result<plugins::Buffer> LayerSide::buffer(std::uint64_t bytes, std::uint32_t usage) {
  return device_->create_buffer(bytes, memory_kind_, usage);
}

Result<void> LayerSide::create(const LayerSetup& setup) {
  memory_kind_ = device_->info().memory[0].kind;
  DS4_TRY(stream_, device_->create_stream());
  DS4_TRY(rings_, buffer(setup.kv.ring_bytes(), DS4_USAGE_KV));
  const bool has_pool = !setup.kv.classes.empty();
  DS4_TRY(pool_, buffer(has_pool ? setup.kv.pool_bytes(0) : 0, DS4_USAGE_KV));
  std::vector<std::int32_t> table(has_pool ? setup.kv.classes[0].session_pages : 1);
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<std::int32_t>(i);
  DS4_TRY(table_, buffer(table.size() * sizeof(std::int32_t), DS4_USAGE_STEP));
  DS4_CHECK(stream_->write(*table_, 0, std::as_bytes(std::span(table))));
  DS4_CHECK(stream_->sync());
  DS4_TRY(sampled_, buffer(64, DS4_USAGE_STEP));
  std::vector<ds4_buffer*> pools;
  if (has_pool) pools.push_back(pool_->handle());

  PlanInputs inputs;
  inputs.config = &setup.config;
  inputs.roundings = setup.roundings;
  inputs.global = weights_.table;
  inputs.layers = {weights_.table};
  inputs.kv = setup.kv.views(setup.config, rings_->handle(), pools);
  if (has_pool) inputs.page_tables.push_back(setup.kv.page_table(0, table_->handle()));
  inputs.max_compressed = has_pool ? setup.kv.limits.context / setup.classes[0].ratio : 0;
  inputs.sampled = make_view(sampled_->handle(), 0, DS4_DTYPE_I32, {1});
  const AskSupport asks = [this](const ds4_op& op) { return device_->op_support(op); };
  const AskSupport all = [](const ds4_op&) -> Result<plugins::OpSupport> {
    return plugins::OpSupport{plugins::SupportLevel::native, {}};
  };

  // Once for the sizes, once over the buffers that then exist.
  std::uint64_t arena_bytes = 0;
  std::uint64_t words = 0;
  for (const StepClass& step : setup.steps) {
    inputs.step = StepLayout::make(step, setup.classes, nullptr);
    DS4_TRY(const Plan sized, Plan::build(inputs, asks));
    DS4_TRY(const Plan shape, Plan::build(inputs, all));
    arena_bytes = std::max(arena_bytes, sized.arena_bytes());
    shared_bytes_ = std::max(shared_bytes_, shape.arena_bytes());
    words = std::max(words, inputs.step.words);
  }
  arena_bytes = std::max(arena_bytes, shared_bytes_);
  DS4_TRY(arena_, buffer(arena_bytes, DS4_USAGE_ACTIVATION));
  DS4_TRY(block_, buffer(words * sizeof(std::int32_t), DS4_USAGE_STEP));
  inputs.arena = arena_->handle();
  std::uint64_t workspace_bytes = 0;
  for (const StepClass& step : setup.steps) {
    inputs.step = StepLayout::make(step, setup.classes, block_->handle());
    DS4_TRY(Plan plan, Plan::build(inputs, asks));
    DS4_TRY(Plan shape, Plan::build(inputs, all));
    DS4_TRY(const std::uint64_t bytes, device_->workspace_size(plan.ops()));
    workspace_bytes = std::max(workspace_bytes, bytes);
    // A composition keeps its op's tag, so that a group is a run of one tag.
    std::vector<std::vector<const ds4_op*>> groups;
    for (const ds4_op* op : plan.ops()) {
      if (groups.empty() || groups.back().back()->tag != op->tag) groups.emplace_back();
      groups.back().push_back(op);
    }
    if (groups.size() != shape.ops().size()) {
      return fail(Errc::internal, "the plan has ", groups.size(), " groups of ops for ",
                  shape.ops().size(), " ops");
    }
    groups_.push_back(std::move(groups));
    plans_.push_back(std::move(plan));
    shapes_.push_back(std::move(shape));
  }
  return reserve_workspace(workspace_bytes);
}

Result<void> LayerSide::reserve_workspace(std::uint64_t bytes) {
  constexpr std::uint64_t kLine = 4096;
  bytes = round_up(bytes, kLine);
  if (bytes == 0 || (workspace_ && workspace_->bytes() >= bytes)) return {};
  workspace_.reset();
  DS4_TRY(workspace_, buffer(bytes, DS4_USAGE_ACTIVATION));
  // Two extents, so that the count of values fits at any size.
  workspace_view_ = make_view(workspace_->handle(), 0, DS4_DTYPE_F32,
                              {static_cast<std::uint32_t>(bytes / kLine),
                               static_cast<std::uint32_t>(kLine / sizeof(float))});
  return {};
}

Result<void> LayerSide::write_step(std::span<const std::int32_t> words) {
  DS4_CHECK(stream_->write(*block_, 0, std::as_bytes(words)));
  return stream_->sync();
}

Result<void> LayerSide::run(std::size_t step, std::size_t group, const WeightTable* experts) {
  std::vector<std::vector<std::uint64_t>> copies;
  std::vector<const ds4_op*> ops = groups_[step][group];
  if (experts != nullptr) {
    for (const ds4_op*& op : ops) {
      auto& words = copies.emplace_back((op->struct_size + 7) / 8);
      std::memcpy(words.data(), op, op->struct_size);
      for (const TensorRole role :
           {TensorRole::ffn_gate_exps, TensorRole::ffn_up_exps, TensorRole::ffn_down_exps}) {
        const auto index = static_cast<std::size_t>(role);
        const auto before = reinterpret_cast<std::uintptr_t>(weights_.table[index]);
        const auto after = reinterpret_cast<std::uintptr_t>((*experts)[index]);
        std::replace(words.begin(), words.end(), std::uint64_t{before}, std::uint64_t{after});
      }
      op = reinterpret_cast<const ds4_op*>(words.data());
    }
  }
  if (experts != nullptr) {
    // More experts than the plan was made with.
    DS4_TRY(const std::uint64_t bytes, device_->workspace_size(ops));
    DS4_CHECK(reserve_workspace(bytes));
  }
  ds4_submission submission{};
  submission.count = static_cast<std::uint32_t>(ops.size());
  submission.ops = ops.data();
  submission.step = plans_[step].step().block;
  submission.workspace = workspace_view_;
  DS4_CHECK(stream_->enqueue(submission));
  return stream_->sync();
}

Result<void> LayerSide::read(LayerState& state) const {
  state.arena.resize(shared_bytes_);
  state.rings.resize(rings_->bytes());
  state.pool.resize(pool_->bytes());
  DS4_CHECK(stream_->read(*arena_, 0, state.arena));
  DS4_CHECK(stream_->read(*rings_, 0, state.rings));
  if (!state.pool.empty()) DS4_CHECK(stream_->read(*pool_, 0, state.pool));
  return stream_->sync();
}

Result<void> LayerSide::write(const LayerState& state) const {
  DS4_CHECK(stream_->write(*arena_, 0, state.arena));
  DS4_CHECK(stream_->write(*rings_, 0, state.rings));
  if (!state.pool.empty()) DS4_CHECK(stream_->write(*pool_, 0, state.pool));
  return stream_->sync();
}

}  // namespace ds4::validate
