#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/engine.hpp"
#include "engine/shadow_side.hpp"
#include "engine/weight_loader.hpp"
#include "kv/kv_layout.hpp"
#include "kv/kv_store.hpp"
#include "plan/placement.hpp"
#include "wrap/objects.hpp"

namespace ds4 {

/// What all parts of an engine are made for; outlives them.
struct PartShape {
  const ModelFile* model = nullptr;
  const EngineOptions* options = nullptr;
  std::vector<StepClass> classes;  ///< by rising size
  std::vector<RatioClass> ratios;  ///< of the whole model
  std::uint32_t prefill_room = 0;  ///< prefill rows that a step can have
  Experts experts = Experts::resident;
  [[nodiscard]] std::uint32_t rows() const { return options->decode_rows + prefill_room; }
};

/// A span of the pass with its plans, by step class.
struct Stage {
  PassSpan span;
  std::vector<Plan> plans;
};

/// One device of an engine and everything of the engine that lies on it: the weights of its share,
/// rings and pages of its layers, and what its stages run over. Page tables, slots and ring copies
/// have the numbers of the whole engine, so that one KvStore serves all parts.
///
/// The functions queue work on the part's stream and wait for nothing unless they say so.
/// Members that hold device objects come after the device, so that they go first.
class DevicePart {
 public:
  DevicePart(const PartShape& shape, std::shared_ptr<plugins::Device> on, DeviceShare has);
  /// A part never moves: its streams and buffers are named by plans.
  DevicePart(const DevicePart&) = delete;
  DevicePart& operator=(const DevicePart&) = delete;
  ~DevicePart();

  // device_part.cpp: opening, in this order.
  /// Takes all memory but that of the weights; waits. `planned`: of this device.
  Result<void> allocate(const KvStore& store, const DeviceMemory& planned);
  Result<void> load(const WeightProgress& progress);
  /// Plans every stage over the buffers and weights that exist.
  Result<void> build_plans();

  // device_part_run.cpp: a step.
  /// A plan as it is handed to the device.
  [[nodiscard]] ds4_submission submission(const Plan& plan) const;
  Result<void> write_block(std::span<const std::int32_t> words) const;
  /// The streams of the first `streams.size()` / (streams * width) rows.
  Result<void> write_streams(const Plan& plan, std::span<const float> streams) const;
  Result<void> read_streams(const Plan& plan, std::span<float> streams) const;
  Result<void> write_forced(const PassSpan& span, std::span<const LayerChoices> forced) const;
  /// Reads the choices that the layers of the span made for `rows` rows.
  Result<void> read_choices(const PassSpan& span, std::uint32_t rows,
                            std::span<LayerChoices> out) const;

  // device_part_run.cpp: sessions.
  [[nodiscard]] const LayerStorage& storage(std::uint32_t layer) const {
    return kv.layers()[layer];
  }
  /// Copies all rings of slot or ring copy `from_index`.
  Result<void> copy_rings(const std::optional<plugins::Buffer>& to, std::uint64_t to_index,
                          const std::optional<plugins::Buffer>& from,
                          std::uint64_t from_index) const;
  /// The rows of one page of every layer of the class.
  Result<void> copy_page(const PageMove& move) const;
  /// Entries `begin`.. of the page table of a class.
  Result<void> send_entries(std::size_t ratio_class, std::size_t begin,
                            std::span<const std::int32_t> entries) const;
  // shadow_open.cpp
  /// What a shadow of this part looks at.
  [[nodiscard]] ShadowSetup shadow_setup() const;

  // device_part_run.cpp
  /// Waits for queued work, whose host memory is about to change. False when some of it failed; the
  /// log says what.
  bool drain() const;

  const PartShape& shape;
  std::shared_ptr<plugins::Device> device;
  DeviceShare share;
  std::vector<Stage> stages;
  MemoryReport memory;  ///< what was taken
  KvLayout kv;          ///< of this part's layers
  std::optional<plugins::Stream> stream;
  std::optional<plugins::Buffer> rings, restore_rings, sampled, logits;
  std::vector<plugins::Buffer> pools, tables;  ///< by ratio class; empty where no layer has it

 private:
  Result<void> allocate_kv(const KvStore& store);
  Result<void> allocate_results();
  Result<void> allocate_steps(std::uint64_t planned_workspace);
  Result<plugins::Buffer> create(std::uint64_t bytes, std::uint32_t usage, std::string_view what,
                                 std::uint64_t& counter);
  Result<void> grow(std::optional<plugins::Buffer>& buffer, std::uint64_t bytes,
                    std::string_view what, std::uint64_t& counter);
  Result<void> build_stage(Stage& stage, PlanInputs& inputs, std::uint64_t& arena_bytes,
                           std::uint64_t& workspace_bytes);
  [[nodiscard]] PlanInputs plan_inputs() const;

  std::uint32_t memory_kind_ = DS4_MEMORY_HOST;
  ModelWeights weights_;
  std::optional<plugins::Buffer> step_block_, arena_, workspace_, choices_;
  std::vector<LayerSelections> selections_;  // by layer
  ds4_view workspace_view_{};
};

}  // namespace ds4
