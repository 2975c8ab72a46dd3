#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "ds4/ops.h"
#include "model/config.hpp"
#include "model/tensors.hpp"
#include "plan/placement.hpp"
#include "plan/step_layout.hpp"
#include "wrap/device.hpp"

namespace ds4 {

/// The roundings that belong to the model. All on is what the model was trained with; other
/// implementations leave some out, and a comparison with them switches the same ones off
/// (model.md 3.16).
struct Roundings {
  bool kv_fp8 = true;       ///< e4m3 round trip of window and compressed rows
  bool row_storage = true;  ///< rows stored encoded: bf16 tails, fp8 and fp4 rows; off: f32 rows
  bool index_fp4 = true;    ///< Hadamard and e2m1 round trip of indexer queries and rows

  [[nodiscard]] std::uint32_t kv_dtype() const noexcept {
    return row_storage && kv_fp8 ? DS4_DTYPE_KV_ROW : DS4_DTYPE_F32;
  }
  [[nodiscard]] std::uint32_t index_dtype() const noexcept {
    return row_storage && index_fp4 ? DS4_DTYPE_INDEX_ROW : DS4_DTYPE_F32;
  }
};

/// Weights of one layer (or of the whole model) by role; null where there is none.
using WeightTable = std::array<const ds4_weight*, kTensorRoles>;

/// Session storage of one layer, as views over all slots.
struct LayerKv {
  ds4_view ring;         ///< [slots, W + 16, Dh], KV_ROW or F32
  ds4_view pairs;        ///< [slots, pair capacity, 2 * coff * Dh] F32; ratio layers
  ds4_view index_pairs;  ///< [slots, pair capacity, 2 * coff * Di] F32; sparse layers
  ds4_view pool;         ///< [pages * 64, Dh]; ratio layers
  ds4_view index_pool;   ///< [pages * 64, Di]; sparse layers
};

/// Where the choices of the model (experts, index rows) are kept per layer, outside the reused
/// activations, so that a test can read them after a step or write them before it.
enum class Selections {
  internal,  ///< in reused activations: not visible
  recorded,  ///< chosen by the model, kept for reading
  forced     ///< written by the host before the step
};

/// Per-layer views for Selections::recorded and forced; absent otherwise.
struct LayerSelections {
  ds4_view experts;  ///< [rows, K] i32
  ds4_view index;    ///< [rows, Ki] i32, sparse layers: compressed rows, -1 last
};

/// Everything a plan is built from. Views and weights may have null buffers: the plan can then be
/// sized, not run.
struct PlanInputs {
  const ModelConfig* config = nullptr;
  std::optional<PassSpan> span;  ///< nothing: the whole pass
  Roundings roundings;
  WeightTable global{};
  std::vector<WeightTable> layers;
  std::vector<LayerKv> kv;
  std::vector<ds4_view> page_tables;  ///< per ratio class: [slots, pages] i32
  std::uint32_t max_compressed =
      0;  ///< most compressed rows of the smallest ratio that a session can hold
  StepLayout step;
  ds4_buffer* arena = nullptr;  ///< activations
  ds4_view sampled;             ///< [logits rows] i32: argmax ids of this step, read by the next
  ds4_view logits;              ///< [logits rows, vocab] F32
  Selections selections = Selections::internal;
  std::vector<LayerSelections> layer_selections;
  /// Routed experts are read while a step runs: between the choice of a layer and its routed
  /// experts comes what does not need them.
  bool streams_experts = false;
};

/// Asks the device whether it runs an op as it stands.
using AskSupport = std::function<Result<plugins::OpSupport>(const ds4_op&)>;

/// Fused ops that the device does not have and that run as compositions.
struct ComposedOp {
  std::uint32_t id = 0;
  std::uint32_t first_layer = 0;
  std::uint32_t last_layer = 0;
  std::uint32_t count = 0;
  std::string reason;
};

/// The ops of one step class in order, ready to enqueue. Immutable; descriptors live as long as the
/// plan.
class Plan {
 public:
  /// Builds the forward pass of model.md 3 for every row of a step, then the head and argmax of the
  /// rows whose logits are wanted; or the span of it that is asked for. A fused op that the device
  /// does not have is replaced by its composition. Errors: unsupported, listing every tier-1 op
  /// (with dtype) that the device lacks.
  static Result<Plan> build(const PlanInputs& inputs, const AskSupport& support);

  [[nodiscard]] std::span<const ds4_op* const> ops() const noexcept { return ops_; }
  /// Bytes of activations that the plan addresses in the arena.
  [[nodiscard]] std::uint64_t arena_bytes() const noexcept { return arena_bytes_; }
  [[nodiscard]] const StepLayout& step() const noexcept { return step_; }
  [[nodiscard]] const std::vector<ComposedOp>& composed() const noexcept { return composed_; }
  /// [rows, streams, width] F32 in the arena: where a span that does not embed finds the streams of
  /// every row, and where one without a head leaves them.
  [[nodiscard]] const ds4_view& streams() const noexcept { return streams_; }
  /// One line per op: tag, layer, name, rows.
  [[nodiscard]] std::string dump() const;

 private:
  friend class PlanBuilder;
  Plan() = default;

  std::unique_ptr<std::pmr::monotonic_buffer_resource> memory_;
  std::vector<const ds4_op*> ops_;
  std::vector<ComposedOp> composed_;
  StepLayout step_;
  ds4_view streams_{};
  std::uint64_t arena_bytes_ = 0;
};

}  // namespace ds4
