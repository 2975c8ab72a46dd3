#include "plan/lowering/compositions.hpp"

namespace ds4::lowering {

Result<void> moe_routed(const ds4_op_moe_routed& op, LoweringSink& sink) {
  Composer to(op.op, op.rows, op.y, sink);
  DS4_CHECK(to.need_rank("v", op.v, 2));
  DS4_CHECK(to.need_rank("y", op.y, 2));
  DS4_CHECK(to.need_rank("ids", op.ids, 2));
  DS4_CHECK(to.need(op.inner != 0, "inner must not be 0"));
  const std::uint32_t chosen = op.ids.extent[1];
  const ds4_view gate = to.scratch(DS4_DTYPE_F32, chosen, op.inner);
  const ds4_view up = to.scratch(DS4_DTYPE_F32, chosen, op.inner);
  const ds4_view down = to.scratch(DS4_DTYPE_F32, chosen, op.y.extent[1]);
  const ds4_view v = as_one_stream(op.v);
  to.grouped_matmul(op.gate, v, op.ids, gate);
  to.grouped_matmul(op.up, v, op.ids, up);
  to.swiglu_clamp(gate, up, op.weights, op.limit);
  to.grouped_matmul(op.down, gate, op.ids, down);
  to.row_sum(down, op.y);
  return {};
}

}  // namespace ds4::lowering
