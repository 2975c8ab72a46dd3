#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "engine/op_compare.hpp"
#include "engine/shadow_options.hpp"
#include "engine/shadow_place.hpp"
#include "engine/shadow_side.hpp"

namespace ds4 {

/// Runs the ops of a step one by one on the engine's device and again on another, each from the
/// first one's input, and compares what they write (docs/validate.md).
class Shadow {
 public:
  /// Allocates and loads everything. Errors: those of ShadowSide::open(), naming the shadow.
  static Result<std::unique_ptr<Shadow>> open(const ShadowOptions& options,
                                              const plugins::Device& judged,
                                              const ShadowSetup& setup);

  /// In place of enqueueing the submission on the engine's stream. Errors: internal, the finding in
  /// a line; what either device reports.
  Result<void> enqueue(const ds4_submission& submission, const StepFacts& step);

  [[nodiscard]] ShadowReport report() const;

 private:
  Shadow(const ShadowOptions& options, const plugins::Device& judged, const ShadowSetup& setup);

  /// Once the engine's device has run the op.
  Result<void> repeat(const ds4_op& op, const StepFacts& step);
  Result<void> compare_op(const ds4_op& op, const RepeatedOp& repeated, const StepFacts& step);
  Result<void> compare_choice(const ds4_op& op, const RepeatedOp& repeated, const OpOutput& output,
                              const StepFacts& step, std::set<std::uint64_t>& other_rows);
  Result<void> compare_output(const ds4_op& op, const OpOutput& output, const StepFacts& step,
                              const std::set<std::uint64_t>& other_rows);
  Result<void> compare_inputs(const ds4_op& op, const std::vector<OpOutput>& outputs,
                              const StepFacts& step);
  Result<void> compare_rest();
  Result<void> found(const ds4_op& op, const OpOutput& output, const RowDistance& distance,
                     const StepFacts& step, const std::string& what);
  Result<void> tell(const ShadowFinding& finding);
  [[nodiscard]] std::string dtype_of(const ds4_op& op, const OpOutput& output) const;
  [[nodiscard]] std::string where(const ShadowFinding& finding) const;
  [[nodiscard]] std::string repeating(const std::string& op) const;
  void note_missing(const std::string& what);

  const ShadowOptions& options_;
  const plugins::Device& judged_;
  const plugins::Stream& stream_;
  const ModelFile& model_;
  LogSink log_;
  std::unique_ptr<ShadowSide> side_;
  ShadowReport report_;
  std::uint32_t step_ = 0;  // of the engine, being checked
  std::map<std::string, ShadowWorst> worst_;
};

}  // namespace ds4
