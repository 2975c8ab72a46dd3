#pragma once

#include <string>

#include "base/result.hpp"
#include "common/exit_code.hpp"
#include "common/json_writer.hpp"
#include "common/runtime.hpp"
#include "engine/memory_planner.hpp"

namespace ds4::cli {

/// A plan with what it has to fit into, and, where it does not, what would.
struct PlanReport {
  MemoryPlan plan;
  MemoryLimits limits;
  std::uint32_t largest_context = 0;  ///< the asked one when the plan fits, 0 when none does

  /// Errors: those of MemoryPlanner::plan().
  static Result<PlanReport> make(const MemoryPlanner& planner, MemoryLimits limits);
  [[nodiscard]] bool fits() const noexcept { return largest_context == plan.context; }
};

/// A table: a line per kind of memory with its bytes, then totals, bounds and the verdict.
[[nodiscard]] std::string plan_text(const PlanReport& report);
/// The same as members of the object that `json` is in.
void plan_members(JsonWriter& json, const PlanReport& report);
/// One JSON object on a line.
[[nodiscard]] std::string plan_json(const PlanReport& report);

enum class PlanStyle { text, json };

/// What --plan does in a program that runs models: plans `engine` for the header of the file at
/// `path` on the devices that `options` name, and prints it. The status is that of opening file and
/// devices; a plan that does not fit says so and is a success.
ExitCode print_plan(const Runtime& runtime, const std::string& path, const RuntimeOptions& options,
                    const EngineOptions& engine, PlanStyle style);

}  // namespace ds4::cli
