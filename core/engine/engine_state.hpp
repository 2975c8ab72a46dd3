#pragma once

#include <optional>
#include <vector>

#include "engine/engine.hpp"
#include "engine/memory_planner.hpp"
#include "engine/weight_loader.hpp"
#include "kv/kv_layout.hpp"
#include "kv/kv_store.hpp"
#include "kv/snapshot.hpp"
#include "kv/step_writer.hpp"
#include "wrap/objects.hpp"

namespace ds4 {

/// A step class with its plan and its host copy of the step block.
struct PlannedClass {
  Plan plan;
  std::vector<std::int32_t> words;  ///< staging; stays valid until the stream has copied it
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

/// Everything an engine owns. Members that hold device objects come after the device, so that they
/// go first.
struct Engine::State {
  State(ModelFile model_file, std::shared_ptr<plugins::Device> on, EngineOptions chosen)
      : model(std::move(model_file)), device(std::move(on)), options(std::move(chosen)) {}

  ~State();

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
  /// Waits for queued copies, whose host memory is about to change; what they report is known
  /// already.
  void drain();

  // engine_snapshot.cpp
  [[nodiscard]] SnapshotShape snapshot_shape();
  Result<void> save(const SessionState& session, const SnapshotSink& sink, bool with_points);
  Result<void> restore(SessionState& session, std::span<const std::byte> bytes,
                       std::string_view name);

  ModelFile model;
  std::shared_ptr<plugins::Device> device;
  EngineOptions options;
  MemoryPlan memory_plan;  // what was decided before anything was taken
  MemoryReport memory;     // what was taken
  std::uint32_t memory_kind = DS4_MEMORY_HOST;

  std::optional<plugins::Stream> stream;
  ModelWeights weights;
  KvLayout kv;
  StepGeometry geometry;
  KvStore store;
  std::optional<ModelIdentity> identity;  // computed when the first snapshot asks for it

  std::optional<plugins::Buffer> rings, restore_rings, step_block, arena, workspace, sampled,
      logits, choices;
  std::vector<plugins::Buffer> pool_buffers, table_buffers;

  ds4_view workspace_view{};
  std::vector<PlannedClass> classes;  // by rising size
  std::vector<LayerSelections> selections;

  // Host results, sized at open.
  std::vector<float> host_logits;
  std::vector<std::int32_t> host_argmax;
  std::vector<std::int32_t> previous_argmax;  // what -1 - k of the next step names
  std::vector<LayerChoices> host_choices;
  StepSegments segments;
  std::uint32_t serial = 0;
  std::uint32_t sampled_rows = 0;  // rows of the last step that -1 - k may name

 private:
  // engine_open.cpp
  Result<void> check_options() const;
  Result<void> choose_memory();
  Result<void> plan_memory();
  [[nodiscard]] std::uint32_t prefill_room() const;
  Result<void> allocate_kv();
  Result<void> allocate_results();
  Result<void> allocate_steps();
  Result<void> build_plans();
  Result<plugins::Buffer> create(std::uint64_t bytes, std::uint32_t usage, std::string_view what,
                                 std::uint64_t& counter);
  Result<void> grow(std::optional<plugins::Buffer>& buffer, std::uint64_t bytes,
                    std::string_view what, std::uint64_t& counter);
  [[nodiscard]] PlanInputs plan_inputs() const;
  [[nodiscard]] std::vector<StepClass> classes_to_plan() const;

  // engine_step.cpp
  Result<void> collect(const StepRequest& request);
  Result<void> collect_part(std::span<const StepRow> part, bool is_prefill);
  Result<void> check_segment(std::span<const StepRow> rows, bool is_prefill) const;
  Result<void> reserve_pages();
  Result<void> run(PlannedClass& planned, const StepRequest& request);
  Result<void> check_forced(const StepRequest& request) const;
  Result<void> write_forced(const StepRequest& request);
  Result<void> read_choices(std::uint32_t rows);
  void give_up();
  void advance();
  void keep_points();

  // engine_sessions.cpp
  Result<void> send_moves();
  Result<void> send_table(const SessionState& session);
  Result<void> copy_page(const PageMove& move);
  Result<void> go_to_point(SessionState& session, std::uint32_t point);

  // engine_snapshot.cpp
  struct Saver;
  Result<void> write_frontier(const SnapshotView& snapshot, std::size_t frontier,
                              const plugins::Buffer& to, std::uint32_t ring_copy);
  Result<void> write_pages(const SnapshotView& snapshot, const SessionState& session);
};

}  // namespace ds4
