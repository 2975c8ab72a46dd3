#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"
#include "engine/expert_cache.hpp"
#include "engine/expert_options.hpp"
#include "engine/memory_plan.hpp"
#include "engine/shadow_options.hpp"
#include "kv/kv_store.hpp"
#include "model/model_file.hpp"
#include "plan/placement.hpp"
#include "plan/plan.hpp"
#include "wrap/device.hpp"

namespace ds4 {

/// Names a session of one engine; ids are reused after close_session().
using SessionId = std::uint32_t;

/// What loading does right now. `done` and `total` count bytes of weights.
struct LoadProgress {
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  std::string_view tensor;
};

/// The devices of an engine, and which of them runs what. Each has something to run.
struct EngineDevices {
  std::vector<std::shared_ptr<plugins::Device>> devices;
  Placement placement;
};

struct EngineOptions {
  std::uint32_t context = 32768;      ///< most tokens a session can hold
  std::uint32_t sessions = 1;         ///< slots: sessions that can be open at once
  std::uint32_t decode_rows = 32;     ///< most decode and verification rows of a step
  std::uint32_t prefill_rows = 512;   ///< most prefill rows of a step
  std::uint32_t logits_rows = 32;     ///< most rows of a step whose logits are returned
  std::uint32_t pages_percent = 100;  ///< pages of the pool, as a share of what full sessions need
  std::uint32_t restore_points = 8;   ///< states to go back to, of all sessions together
  Roundings roundings;
  Selections selections = Selections::internal;
  ExpertCacheOptions experts;  ///< what of the routed experts is in memory
  ShadowOptions shadow;        ///< a second device that checks every op; none by default
  LogSink log;
  std::function<void(const MemoryPlan&)> on_plan;  ///< once, before anything is taken
  std::function<void(const LoadProgress&)> on_load;
};

/// One row of a step: the next token of a session. Rows of one session follow each other without a
/// gap.
struct StepRow {
  SessionId session = 0;
  std::int32_t token = 0;  ///< -1 - k means: argmax id k of the engine's previous step
  bool wants_logits = false;
};

/// Choices of one layer for the rows of a step, row after row (Selections::recorded and forced).
struct LayerChoices {
  std::vector<std::int32_t> experts;  ///< rows * K
  std::vector<std::int32_t>
      index;  ///< rows * Ki, ascending, -1 last; empty where the layer has no indexer
};

/// Decode rows of any sessions (1 to 17 rows of each), then at most one prefill segment of one
/// other session.
struct StepRequest {
  std::span<const StepRow> decode;
  std::span<const StepRow> prefill;
  bool read_logits = true;               ///< false: only the sampled ids come back
  std::span<const LayerChoices> forced;  ///< per layer; needed exactly with Selections::forced
};

/// Results of a step; views live until the next step.
struct StepOutput {
  std::uint32_t rows = 0;  ///< rows with logits, in the order of the request
  std::uint32_t vocab = 0;
  std::span<const float> logits;          ///< [rows, vocab]; empty unless read
  std::span<const std::int32_t> argmax;   ///< [rows]
  std::span<const LayerChoices> choices;  ///< per layer, with Selections::recorded and forced

  [[nodiscard]] std::span<const float> row(std::uint32_t index) const {
    return logits.subspan(std::size_t{index} * vocab, vocab);
  }
};

/// Rows that a caller thinks of adding to a session.
struct RowsWanted {
  SessionId session = 0;
  std::uint32_t rows = 0;
};

/// Takes the bytes of a snapshot in order; an error ends the writing and is handed on.
using SnapshotSink = std::function<Result<void>(std::span<const std::byte>)>;

enum class SnapshotContent {
  state,               ///< the session where it is: the bytes depend on its tokens alone
  with_restore_points  ///< also the places it can go back to
};

/// Where the memory of an engine went, in bytes on its devices.
struct MemoryReport {
  std::uint64_t weights = 0;           ///< copied to the device
  std::uint64_t weights_in_place = 0;  ///< used where the file is mapped
  std::uint64_t rings = 0;
  std::uint64_t restore_points = 0;  ///< their rings
  std::uint64_t pages = 0;
  std::uint64_t activations = 0;
  std::uint64_t workspace = 0;
  std::uint64_t step = 0;
  std::uint64_t expert_cache = 0;  ///< on the host, filled as experts are chosen

  MemoryReport& operator+=(const MemoryReport& other);
};

/// What an engine's cache of routed experts did so far.
struct ExpertReport {
  std::uint64_t held = 0;   ///< experts that it has room for
  std::uint64_t all = 0;    ///< of the model
  std::uint64_t bytes = 0;  ///< of that room
  ExpertCacheCounts counts;
};

/// A span of the pass as an engine runs it.
struct StageReport {
  PassSpan span;
  std::shared_ptr<plugins::Device> device;
  const Plan* plan = nullptr;  ///< of the largest step class; the engine's
  MemoryReport memory;         ///< of the whole device, which may have other spans too
};

/// A loaded model on a device or several, its sessions, and the one call that advances them.
///
/// Threads: one thread at a time drives an engine (the scheduler's thread); several engines in one
/// process are independent. No call but open() and create_session() allocates device memory; step()
/// allocates nothing.
class Engine {
 public:
  /// Plans the memory, allocates rings and pages, imports the weights, plans every step class.
  /// Errors: unsupported (an op or dtype the device lacks, and for which there is no way round),
  /// out_of_memory with the numbers and the largest context that would fit (nothing is loaded
  /// then), invalid_argument for impossible options, and what the backend reports.
  static Result<std::unique_ptr<Engine>> open(ModelFile model,
                                              std::shared_ptr<plugins::Device> device,
                                              EngineOptions options);
  /// The same on several devices: each takes the weights and the KV rows of its share only, and a
  /// step goes from one to the next. Errors: also invalid_argument for a placement that does not
  /// fit the model and the devices; what a device cannot do is said with the layers concerned.
  static Result<std::unique_ptr<Engine>> open(ModelFile model, EngineDevices devices,
                                              EngineOptions options);
  ~Engine();

  [[nodiscard]] const ModelFile& model() const noexcept;
  [[nodiscard]] const ModelConfig& config() const noexcept;
  [[nodiscard]] const EngineOptions& options() const noexcept;
  [[nodiscard]] const EngineDevices& devices() const noexcept;
  [[nodiscard]] const MemoryReport& memory() const noexcept;
  /// What was planned before anything was taken.
  [[nodiscard]] const MemoryPlan& memory_plan() const noexcept;
  /// In the order of the pass; one where there is one device.
  [[nodiscard]] std::vector<StageReport> stages() const;
  /// What the shadow has compared so far; nothing without EngineOptions::shadow.
  [[nodiscard]] std::optional<ShadowReport> shadow_report() const;

  /// What the expert cache did; nothing where all experts are in memory.
  [[nodiscard]] std::optional<ExpertReport> expert_report() const;
  /// Has expert_report() count from here on.
  void reset_expert_counts() noexcept;

  /// An empty session. Errors: out_of_memory when all slots are in use.
  Result<SessionId> create_session();
  void close_session(SessionId session);
  /// Tokens that the session has evaluated.
  [[nodiscard]] std::span<const std::int32_t> tokens(SessionId session) const;
  [[nodiscard]] std::uint32_t position(SessionId session) const;

  /// Evaluates the rows of a request together. On success every session named has advanced by its
  /// rows.
  ///
  /// Errors: invalid_argument (malformed request: nothing has changed), out_of_memory (no page
  /// left, with who holds them: nothing has changed), device failures (each session named is where
  /// it was, if its rings still hold that, else at a restore point, else empty), io when an expert
  /// cannot be read (the same), internal with
  /// ShadowFinding::text when a shadow finds an op out of tolerance (the same).
  Result<StepOutput> step(const StepRequest& request);

  /// Pages that such rows would need in one step, and what is there; for a scheduler, which asks
  /// before it admits a request. Errors: invalid_argument (not open, named twice, no room in the
  /// context).
  [[nodiscard]] Result<PageDemand> page_demand(std::span<const RowsWanted> wanted) const;

  /// A session equal to this one, which goes its own way from here: rings are copied, pages are
  /// shared until one of the two writes them. Errors: out_of_memory when all slots are in use;
  /// device failures (there is no new session then).
  Result<SessionId> fork(SessionId session);

  /// Keeps the state at `position` to go back to later: the session's, or that of a position at or
  /// above the floor of rewind(). It goes after the points that sessions get by themselves: each
  /// kRestoreSpacing tokens, one token before the end of a prefill segment or at the beginning of
  /// decode rows. False when the engine keeps none, or the rings no longer hold that position.
  /// Errors: invalid_argument (not open, ahead of the session); device failures.
  Result<bool> keep_restore_point(SessionId session, std::uint32_t position);
  /// Positions of the session's restore points, ascending.
  [[nodiscard]] std::vector<std::uint32_t> restore_points(SessionId session) const;

  /// Goes back to `position` (at most the session's), or as near below it as there is a state to go
  /// back to, and returns the position reached. At or above the floor (16 tokens below the highest
  /// position, or where a restored state begins) that is `position` itself; below it, the greatest
  /// restore point that is not past it, 0 always being one. The caller evaluates the tokens between
  /// the two again; sync() does, in chunks. From there on the session equals one that never went
  /// further.
  /// Errors: invalid_argument (not open, or forward); nothing has changed then.
  Result<std::uint32_t> rewind(SessionId session, std::uint32_t position);

  /// Gives the session to `sink` as a file (docs/sessions.md), some MiB at a time. Errors:
  /// invalid_argument (nothing is evaluated, or a failed step left the session between two states
  /// until its next token), those of the sink, device failures.
  Result<void> snapshot(SessionId session, const SnapshotSink& sink,
                        SnapshotContent content = SnapshotContent::state);
  /// Makes the session what a snapshot of the same model holds, whatever it was before. `name`
  /// stands in errors. Errors: bad_file (one line: what and where), unsupported (another version,
  /// model or row format), out_of_memory (more tokens than the context, no pages): nothing has
  /// changed then. Device failures leave the session empty.
  Result<void> restore(SessionId session, std::span<const std::byte> bytes, std::string_view name);
  /// Looks at the first bytes of a snapshot file of `file_bytes` and says whether this engine could
  /// take it; a file that passes is no longer than its tokens need. Errors: as restore().
  [[nodiscard]] Result<void> check_snapshot(std::span<const std::byte> head,
                                            std::uint64_t file_bytes, std::string_view name) const;

 private:
  struct State;
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ds4
