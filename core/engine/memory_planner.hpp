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
#include "engine/expert_layout.hpp"
#include "engine/expert_options.hpp"
#include "engine/memory_plan.hpp"
#include "engine/weight_choice.hpp"
#include "engine/weight_loader.hpp"
#include "engine/weight_pieces.hpp"
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
  ExpertCacheOptions experts;

  static MemoryPlanInputs of(const EngineOptions& options);
};

/// What is asked of a device while planning. A member that is null is estimated: weights stay where
/// the file is mapped, every op is native, the workspace is estimated.
struct PlanQuestions {
  std::string device;  ///< name
  bool shares_host_memory = true;
  AskWeight weight;
  bool packs_experts = true;
  /// The handle of streamed experts, which holds no bytes: what ops with them need is known only
  /// from it.
  std::function<Result<plugins::Weight>(const ModelFile&, const WeightItem&)> streamed;
  AskSupport support;
  std::function<Result<std::uint64_t>(std::span<const ds4_op* const>)> workspace;

  /// The questions put to an open device, which outlives them. Null: estimates, for a device that
  /// maps the file and shares the host's memory.
  static PlanQuestions of(plugins::Device* maybe_device);
};

/// The answer of a device that nobody asked: weights stay where they are mapped; experts that are
/// streamed keep their size.
Result<ds4_weight_answer> assume_in_place(const ds4_weight_desc& desc);

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
  /// Errors: as make(); unsupported where an expert cache is asked for.
  Result<void> add_shadow(plugins::Device& second);

  /// The plan for `context` tokens a session; a step holds no more prefill rows than that. Experts
  /// are in memory unless a cache of a given size was asked for.
  /// Errors: those of KvLayout::make and Plan::build.
  [[nodiscard]] Result<MemoryPlan> plan(std::uint32_t context) const;
  [[nodiscard]] Result<MemoryPlan> plan() const { return plan(inputs_.context); }

  /// The plan as asked; where it does not fit and experts may be streamed, one with a cache of them
  /// in what is left. It may not fit either.
  [[nodiscard]] Result<MemoryPlan> best_plan(const MemoryLimits& limits) const;

  /// The largest context below the asked one that fits; 0 when none does. Found by planning:
  /// the result fits and one token more does not.
  [[nodiscard]] Result<std::uint32_t> largest_context(const MemoryLimits& limits) const;

  /// The best plan. Errors: out_of_memory with the numbers and the largest context that fits.
  [[nodiscard]] Result<MemoryPlan> fitting_plan(const MemoryLimits& limits) const;

  /// How experts are streamed, for a plan that does; nothing where they cannot be.
  [[nodiscard]] const std::optional<ExpertLayout>& experts() const noexcept { return experts_; }

 private:
  /// One device: what is asked of it, what it has, and what its weights take.
  struct Part {
    PlanQuestions questions;
    DeviceShare share;
    std::vector<PassSpan> spans;
    WeightMemory weights;
    std::vector<std::uint64_t> in_place;  ///< bytes that stay in place, by tensor
    WeightMemory without_experts;
    std::vector<plugins::Weight> streamed;  ///< handles of experts
    std::vector<WeightTable> tables;        ///< with nothing but those
    [[nodiscard]] std::string place() const;
  };
  MemoryPlanner(const ModelFile& model, MemoryPlanInputs inputs)
      : model_(&model), inputs_(inputs) {}
  Result<void> add_weights(Part& part);
  void add_host(MemoryPlan& plan, const MemoryPlanInputs& in, const KvLayout& kv) const;
  Result<DeviceMemory> plan_part(const Part& part, const MemoryPlanInputs& in, Experts experts,
                                 std::uint64_t& staging) const;
  Result<void> add_steps(const Part& part, const MemoryPlanInputs& in, const KvLayout& kv,
                         Experts experts, DeviceMemory& memory, std::uint64_t& staging) const;
  // expert_memory.cpp
  Result<void> add_experts();
  Result<void> import_experts();
  Result<MemoryPlan> plan(std::uint32_t context, Experts experts) const;
  [[nodiscard]] Result<std::uint32_t> largest_context(const MemoryLimits& limits,
                                                      Experts experts) const;
  Result<void> add_cache(MemoryPlan& plan) const;
  [[nodiscard]] std::uint64_t table_bytes() const;
  [[nodiscard]] Experts asked() const noexcept {
    return inputs_.experts.mode == ExpertCacheOptions::Mode::fixed ? Experts::streamed
                                                                   : Experts::resident;
  }
  [[nodiscard]] bool is_placed() const noexcept { return parts_.size() > 1; }

  Result<void> plan_shadow(MemoryPlan& plan) const;

  const ModelFile* model_;
  MemoryPlanInputs inputs_;
  std::vector<Part> parts_;
  LoadMemory load_memory_;  // of all parts, which load one after the other
  std::optional<ExpertLayout> experts_;
  std::string cannot_stream_;  // why not, where experts_ is empty
  std::shared_ptr<const MemoryPlanner> shadow_;
};

/// What plans on these devices have to fit into; none: the host alone. `root` as for
/// read_host_memory().
[[nodiscard]] MemoryLimits memory_limits(
    std::span<const std::shared_ptr<plugins::Device>> devices = {},
    const std::filesystem::path& root = "/");

}  // namespace ds4
