#include "plan/lowering/compositions.hpp"

namespace ds4::lowering {

Result<void> kv_project(const ds4_op_kv_project& op, LoweringSink& sink) {
  Composer to(op.op, op.rows, op.kv, sink);
  DS4_CHECK(to.need_rank("kv", op.kv, 2));
  to.matmul(op.wkv, op.u, op.kv);
  to.rms_norm(op.gain, op.kv, op.kv, op.eps);
  to.rope_tail(op.kv, op.positions, op.rope);
  to.round_trip(op.kv, op.rounding);
  return {};
}

}  // namespace ds4::lowering
