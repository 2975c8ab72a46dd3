#include "plan/lowering/compositions.hpp"

namespace ds4::lowering {

Result<void> q_project(const ds4_op_q_project& op, LoweringSink& sink) {
  Composer to(op.op, op.rows, op.q, sink);
  DS4_CHECK(to.need_rank("qr", op.qr, 2));
  DS4_CHECK(to.need_rank("q", op.q, 3));
  const auto flat = flatten_rows(op.q);
  DS4_CHECK(to.need(flat.has_value(), "q: the heads of a row must lie side by side"));
  to.matmul(op.wq_a, op.u, op.qr);
  to.rms_norm(op.gain, op.qr, op.qr, op.eps);
  to.matmul(op.wq_b, op.qr, *flat);
  to.rms_norm(nullptr, op.q, op.q, op.eps);
  to.rope_tail(op.q, op.positions, op.rope);
  return {};
}

}  // namespace ds4::lowering
