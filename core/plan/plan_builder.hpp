#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "plan/lowering/lowering.hpp"
#include "plan/plan.hpp"

namespace ds4 {

/// Collects the ops of a plan: places activations in the arena, asks the device for each op, and
/// lowers what it lacks.
class PlanBuilder final : private LoweringSink {
 public:
  PlanBuilder(ds4_buffer* arena, const AskSupport& support);

  /// Row-contiguous activation that lives until the plan ends.
  ds4_view tensor(std::uint32_t dtype, std::initializer_list<std::uint32_t> extents);

  /// Whether the device runs this op as it stands.
  template <class Op>
  Result<bool> has(Op op) const {
    op.op.struct_size = sizeof(Op);
    DS4_TRY(const plugins::OpSupport answer, support_(op.op));
    return answer.level != plugins::SupportLevel::no;
  }

  /// Appends an op for `layer`; the tag (layer << 16 | index) is set here.
  template <class Op>
  Result<void> add(Op op, std::uint32_t layer) {
    op.op.struct_size = sizeof(Op);
    op.op.tag = next_tag(layer);
    return add_op(op.op, layer);
  }

  /// `streams`: see Plan::streams(). Errors: unsupported, listing what the device lacks.
  Result<Plan> finish(StepLayout step, const ds4_view& streams);

 private:
  Result<void> add_op(const ds4_op& op, std::uint32_t layer);
  [[nodiscard]] std::uint32_t next_tag(std::uint32_t layer) const;
  void note_composed(const ds4_op& op, std::uint32_t layer, std::string_view reason);
  void append(const ds4_op& op);

  ds4_view scratch(std::uint32_t dtype, std::initializer_list<std::uint32_t> extents) override;
  void emit(const ds4_op& op) override;

  ds4_buffer* arena_;
  const AskSupport& support_;
  Plan plan_;
  std::uint64_t top_ = 0;      // end of the tensors
  std::uint64_t scratch_ = 0;  // end of the scratch of the op being lowered
  std::uint32_t lowering_tag_ = 0;
  std::vector<std::string> missing_;
  std::string failure_;
};

}  // namespace ds4
