#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "engine/memory_plan.hpp"
#include "engine/weight_choice.hpp"
#include "kv/kv_layout.hpp"
#include "model/model_file.hpp"
#include "plan/plan.hpp"
#include "wrap/device.hpp"

namespace ds4 {

struct EngineDevices;
struct EngineOptions;

/// Most tokens of a session: positions are i32 in the step block, and exact in f32 for RoPE up to
/// here.
inline constexpr std::uint32_t kMostContext = 1U << 24;

/// What an engine is asked to hold; the fields of EngineOptions that take memory.
struct MemoryPlanInputs {
  std::uint32_t context = 32768;
  std::uint32_t sessions = 1;
  std::uint32_t decode_rows = 1;
  std::uint32_t prefill_rows = 512;
  std::uint32_t logits_rows = 1;
  std::uint32_t pages_percent = 100;
  std::uint32_t restore_points = 0;  ///< copies of a session's rings that are kept
  Roundings roundings;
  Selections selections = Selections::internal;

  static MemoryPlanInputs of(const EngineOptions& options);
};

/// What is asked of a device while planning. A member that is null is estimated: weights stay where
/// the file is mapped, every op is native, the workspace is estimated.
struct PlanQuestions {
  std::string device;  ///< name
  bool shares_host_memory = true;
  AskWeight weight;
  AskSupport support;
  std::function<Result<std::uint64_t>(std::span<const ds4_op* const>)> workspace;

  /// The questions put to an open device, which outlives them. Null: estimates, for a device that
  /// maps the file and shares the host's memory.
  static PlanQuestions of(const plugins::Device* maybe_device);
};

/// "cuda-spark", and for a device that is not the backend's first "cuda-spark:1".
[[nodiscard]] std::string device_name(const plugins::Device& device);

/// The questions to every device of an engine, and what runs on which.
struct PlacedQuestions {
  std::vector<PlanQuestions> devices;
  Placement placement;

  static PlacedQuestions of(const EngineDevices& devices);
};

/// The step classes that an engine of these options plans for, by rising size.
[[nodiscard]] std::vector<StepClass> step_classes(std::uint32_t decode_rows,
                                                  std::uint32_t prefill_rows,
                                                  std::uint32_t logits_rows);

/// Bytes of a backend's workspace, rounded up to what a view of lines can name.
[[nodiscard]] std::uint64_t workspace_lines(std::uint64_t bytes) noexcept;
inline constexpr std::uint32_t kWorkspaceLine = 4096;  ///< bytes

/// Plans the memory of an engine from the header of a model file; no byte of a tensor is read and
/// nothing is allocated on the device.
class MemoryPlanner {
 public:
  /// Asks each device about every weight of its share once. `model` outlives the planner.
  /// Errors: unsupported (a tensor that the device takes in no type); invalid_argument for a
  /// context beyond kMostContext; what the device reports.
  static Result<MemoryPlanner> make(const ModelFile& model, MemoryPlanInputs inputs,
                                    PlacedQuestions questions);
  /// For one device.
  static Result<MemoryPlanner> make(const ModelFile& model, MemoryPlanInputs inputs,
                                    PlanQuestions questions);

  /// Plans a shadow on `second`, which outlives the planner, into every plan from here on; for an
  /// engine of one device.
  /// Errors: as make().
  Result<void> add_shadow(const plugins::Device& second);

  /// The plan for `context` tokens a session; a step holds no more prefill rows than that.
  /// Errors: those of KvLayout::make and Plan::build.
  [[nodiscard]] Result<MemoryPlan> plan(std::uint32_t context) const;
  [[nodiscard]] Result<MemoryPlan> plan() const { return plan(inputs_.context); }

  /// The largest context below the asked one that fits; 0 when none does. Found by planning:
  /// the result fits and one token more does not.
  [[nodiscard]] Result<std::uint32_t> largest_context(const MemoryLimits& limits) const;

  /// The plan as asked. Errors: out_of_memory with the numbers and the largest context that fits.
  [[nodiscard]] Result<MemoryPlan> fitting_plan(const MemoryLimits& limits) const;

 private:
  /// One device: what is asked of it, what it has, and what its weights take.
  struct Part {
    PlanQuestions questions;
    DeviceShare share;
    std::vector<PassSpan> spans;
    WeightMemory weights;
    std::vector<std::uint64_t> in_place;  ///< bytes that stay in place, by tensor
    [[nodiscard]] std::string place() const;
  };
  MemoryPlanner(const ModelFile& model, MemoryPlanInputs inputs)
      : model_(&model), inputs_(inputs) {}
  Result<void> add_weights(Part& part);
  void add_host(MemoryPlan& plan, const MemoryPlanInputs& in, const KvLayout& kv) const;
  Result<DeviceMemory> plan_part(const Part& part, const MemoryPlanInputs& in,
                                 std::uint64_t& staging) const;
  Result<void> add_steps(const Part& part, const MemoryPlanInputs& in, const KvLayout& kv,
                         DeviceMemory& memory, std::uint64_t& staging) const;
  [[nodiscard]] bool is_placed() const noexcept { return parts_.size() > 1; }

  Result<void> plan_shadow(MemoryPlan& plan) const;

  const ModelFile* model_;
  MemoryPlanInputs inputs_;
  std::vector<Part> parts_;
  std::uint64_t chunk_bytes_ = 0;  // of the largest write while importing
  std::shared_ptr<const MemoryPlanner> shadow_;
};

/// What plans on these devices have to fit into; none: the host alone. `root` as for
/// read_host_memory().
[[nodiscard]] MemoryLimits memory_limits(
    std::span<const std::shared_ptr<plugins::Device>> devices = {},
    const std::filesystem::path& root = "/");

}  // namespace ds4
