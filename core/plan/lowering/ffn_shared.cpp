#include "plan/lowering/compositions.hpp"

namespace ds4::lowering {

Result<void> ffn_shared(const ds4_op_ffn_shared& op, LoweringSink& sink) {
  Composer to(op.op, op.rows, op.y, sink);
  DS4_CHECK(to.need_rank("v", op.v, 2));
  DS4_CHECK(to.need_rank("y", op.y, 2));
  DS4_CHECK(to.need(op.inner != 0, "inner must not be 0"));
  const ds4_view gate = to.scratch(DS4_DTYPE_F32, op.inner);
  const ds4_view up = to.scratch(DS4_DTYPE_F32, op.inner);
  to.matmul(op.gate, op.v, gate);
  to.matmul(op.up, op.v, up);
  to.swiglu_clamp(gate, up, {}, op.limit);
  to.matmul(op.down, gate, op.y, op.op.flags & DS4_MATMUL_ACCUMULATE);
  return {};
}

}  // namespace ds4::lowering
