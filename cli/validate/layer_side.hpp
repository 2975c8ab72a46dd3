#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kv/kv_layout.hpp"
#include "kv/step_writer.hpp"
#include "plan/plan.hpp"
#include "validate/layer_weights.hpp"
#include "wrap/objects.hpp"

namespace ds4::validate {

/// One layer of a model as a model of its own, and the steps that it is tried with.
struct LayerSetup {
  ModelConfig config;  ///< of one layer
  Roundings roundings;
  KvLayout kv;
  std::vector<RatioClass> classes;
  std::vector<StepClass> steps;
};

/// The storage of a layer: what both sides hold alike after every op.
struct LayerState {
  std::vector<std::byte> arena;
  std::vector<std::byte> rings;
  std::vector<std::byte> pool;
};

/// A layer on one device: buffers, plans, and the ops of each plan in the groups that a fused op
/// and its composition have in common.
class LayerSide {
 public:
  /// Takes the weights, with one expert in place of all.
  static Result<std::unique_ptr<LayerSide>> make(std::shared_ptr<plugins::Device> device,
                                                 const LayerSetup& setup, HeldWeights weights);

  [[nodiscard]] std::size_t groups(std::size_t step) const { return groups_[step].size(); }
  Result<void> write_step(std::span<const std::int32_t> words);
  /// Runs one group. `experts`: what stands for the single expert, or null.
  Result<void> run(std::size_t step, std::size_t group, const WeightTable* experts);
  Result<void> read(LayerState& state) const;
  Result<void> write(const LayerState& state) const;

  /// The ops of a plan in which every op is native: one for each group, with views of this side.
  [[nodiscard]] const ds4_op& described(std::size_t step, std::size_t group) const {
    return *shapes_[step].ops()[group];
  }
  /// Bytes of activations that both sides have at the same places.
  [[nodiscard]] std::uint64_t shared_bytes() const noexcept { return shared_bytes_; }
  [[nodiscard]] const ds4_buffer* arena() const noexcept { return arena_->handle(); }
  [[nodiscard]] const ds4_buffer* rings() const noexcept { return rings_->handle(); }
  [[nodiscard]] const StepLayout& layout(std::size_t step) const { return plans_[step].step(); }

 private:
  Result<void> create(const LayerSetup& setup);
  Result<void> reserve_workspace(std::uint64_t bytes);
  Result<plugins::Buffer> buffer(std::uint64_t bytes, std::uint32_t usage);

  std::shared_ptr<plugins::Device> device_;
  HeldWeights weights_;
  std::uint32_t memory_kind_ = 0;
  std::optional<plugins::Stream> stream_;
  std::optional<plugins::Buffer> rings_, pool_, table_, block_, arena_, workspace_, sampled_;
  ds4_view workspace_view_{};
  std::uint64_t shared_bytes_ = 0;
  std::vector<Plan> plans_;
  std::vector<Plan> shapes_;
  std::vector<std::vector<std::vector<const ds4_op*>>> groups_;
};

}  // namespace ds4::validate
