#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/device_part.hpp"
#include "engine/engine.hpp"
#include "engine/expert_layout.hpp"
#include "engine/memory_planner.hpp"
#include "engine/shadow.hpp"
#include "kv/kv_layout.hpp"
#include "kv/kv_store.hpp"
#include "kv/snapshot.hpp"
#include "kv/step_writer.hpp"

namespace ds4 {

/// A step class with its host copy of the step block, the same for every part.
struct StepBlock {
  StepLayout layout;
  std::vector<std::int32_t> words;  ///< staging; stays valid until the streams have copied it
};

/// A stage of the pass, in the order of the pass.
struct StageRef {
  std::size_t part = 0;
  std::size_t stage = 0;  ///< of the part's stages
};

/// A request taken apart by session, with the arrays that its segments point into. One object
/// serves every step, so that a step allocates nothing.
struct StepSegments {
  std::vector<StepSegment> decode;
  std::optional<StepSegment> prefill;
  std::vector<SessionState*> sessions;  ///< of decode in order, then of prefill
  std::vector<std::int32_t> tokens;
  std::vector<std::uint8_t> wants_logits;
  std::vector<SessionGrowth> growths;  ///< the same sessions with their row counts
  std::uint32_t logits_rows = 0;

  void reserve(std::size_t rows, std::size_t slots);
  void clear();
  [[nodiscard]] std::uint32_t rows() const { return static_cast<std::uint32_t>(tokens.size()); }
  [[nodiscard]] std::size_t count() const { return sessions.size(); }
  [[nodiscard]] const StepSegment& at(std::size_t index) const {
    return index < decode.size() ? decode[index] : *prefill;
  }
};

/// Experts by token of a layer that routes so.
struct ExpertTable {
  std::uint32_t layer = 0;
  std::vector<std::int32_t> ids;  ///< [vocab, experts of a token]
};

/// Everything an engine owns. Members that hold device objects come after what their copies read
/// and write, so that they go first.
struct Engine::State {
  State(ModelFile model_file, EngineDevices on, EngineOptions chosen)
      : model(std::move(model_file)), devices(std::move(on)), options(std::move(chosen)) {}

  Result<void> open();

  // engine_step.cpp
  Result<StepOutput> step(const StepRequest& request);

  // engine_sessions.cpp
  [[nodiscard]] Result<SessionState*> open_session(SessionId session);
  Result<SessionId> fork(const SessionState& session);
  /// Goes back: by shortening where the rings allow it, else to a restore point, else to nothing.
  void go_back(SessionState& session, std::uint32_t position);
  /// Copies the session's rings for a restore point; device to device, waits for nothing.
  Result<bool> keep_point(SessionState& session, std::uint32_t position, bool is_kept);
  /// Waits for queued copies, whose host memory is about to change. Points whose copies may have
  /// failed go.
  void drain();
  /// Drops the restore points whose copies may be what failed.
  void drop_queued_points();

  // engine_snapshot.cpp
  [[nodiscard]] SnapshotShape snapshot_shape();
  Result<void> save(const SessionState& session, const SnapshotSink& sink, bool with_points);
  Result<void> restore(SessionState& session, std::span<const std::byte> bytes,
                       std::string_view name);

  // engine_experts.cpp
  [[nodiscard]] std::optional<ExpertReport> expert_report() const;

  [[nodiscard]] DevicePart& part_of(std::uint32_t layer) {
    return *parts[devices.placement.layers[layer]];
  }
  [[nodiscard]] const DevicePart& part_of(std::uint32_t layer) const {
    return *parts[devices.placement.layers[layer]];
  }
  [[nodiscard]] Stage& stage(const StageRef& at) { return parts[at.part]->stages[at.stage]; }

  ModelFile model;
  EngineDevices devices;
  EngineOptions options;
  // Readers of the cache use model and devices; backends use the cache while it is lent.
  std::unique_ptr<ExpertCache> expert_cache;  // null: all are in memory
  plugins::ExpertLoan expert_loan;
  std::vector<ExpertTable> expert_tables;
  std::vector<std::int32_t> foretold;     // experts of one layer; sized at open
  std::vector<std::uint8_t> is_foretold;  // by expert
  MemoryPlan memory_plan;                 // what was decided before anything was taken
  MemoryReport memory;                    // what was taken

  KvLayout kv;  // of the whole model: what pages and slots mean; where rows lie the parts know
  StepGeometry geometry;
  KvStore store;
  std::optional<ModelIdentity> identity;  // computed when the first snapshot asks for it

  std::vector<StepBlock> blocks;                // by rising size of the step class
  std::vector<float> streams;                   // between stages; empty when there is one
  std::vector<std::uint32_t> selection_widths;  // by layer: index rows of a token; forced only

  // Host results, sized at open.
  std::vector<float> host_logits;
  std::vector<std::int32_t> host_argmax;
  std::vector<std::int32_t> previous_argmax;  // what -1 - k of the next step names
  std::vector<LayerChoices> host_choices;
  StepSegments segments;
  std::vector<std::uint32_t> queued_points;  // copied since work was last known to be good
  std::uint32_t serial = 0;
  std::uint32_t sampled_rows = 0;  // rows of the last step that -1 - k may name

  PartShape part_shape;
  std::vector<std::unique_ptr<DevicePart>> parts;  // by device
  std::vector<StageRef> stages;
  std::unique_ptr<Shadow> shadow;  // null without one; refers to the first part

 private:
  // engine_open.cpp
  Result<void> check_options() const;
  Result<void> check_placement() const;
  Result<void> plan_memory();
  [[nodiscard]] std::uint32_t prefill_room() const;
  void make_parts();
  Result<void> allocate();
  Result<void> allocate_results();
  Result<void> load_parts();
  Result<void> open_shadow();

  // engine_experts.cpp
  Result<void> open_experts(const ExpertLayout& layout);
  Result<void> read_expert_tables();
  void foretell_experts();

  // engine_step.cpp
  Result<void> collect(const StepRequest& request);
  Result<void> collect_part(std::span<const StepRow> part, bool is_prefill);
  Result<void> check_segment(std::span<const StepRow> rows, bool is_prefill) const;
  [[nodiscard]] std::int32_t token_for_device(std::int32_t token) const;
  Result<void> reserve_pages();
  void take_back_pages();
  Result<void> run(std::size_t step_class, const StepRequest& request);
  Result<void> run_stage(const StageRef& at, std::size_t step_class, const StepRequest& request);
  [[nodiscard]] std::size_t stages_to_run() const;
  Result<void> read_results(const StepRequest& request);
  Result<void> check_forced(const StepRequest& request) const;
  void give_up();
  void advance();
  void keep_points();

  // engine_sessions.cpp
  Result<void> send_moves();
  Result<void> send_table(const SessionState& session);
  Result<void> go_to_point(SessionState& session, std::uint32_t point);
  Result<void> sync();

  // engine_snapshot.cpp
  struct Saver;
  enum class RingsOf { sessions, restore_points };
  Result<void> write_frontier(const SnapshotView& snapshot, std::size_t frontier, RingsOf rings,
                              std::uint32_t ring_copy);
  Result<void> write_pages(const SnapshotView& snapshot, const SessionState& session);
};

}  // namespace ds4
