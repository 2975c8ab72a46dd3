#include "plan/lowering/compositions.hpp"

namespace ds4::lowering {

Result<void> compress_emit(const ds4_op_compress_emit& op, LoweringSink& sink) {
  Composer to(op.op, op.rows, op.list, sink);
  DS4_CHECK(to.need(op.pool.rank == 2 || op.pool.rank == 3, "pool: wanted a list of rows"));
  const ds4_view row = to.scratch(DS4_DTYPE_F32, view_width(op.pool));

  auto pool = to.begin<ds4_op_softmax_pool>(DS4_OP_SOFTMAX_POOL, op.op.flags & DS4_POOL_OVERLAP);
  pool.ring = op.ring;
  pool.work = op.work;
  pool.list = op.list;
  pool.y = row;
  to.emit(pool);

  to.rms_norm(op.gain, row, row, op.eps);
  to.rope_tail(row, op.positions, op.rope);
  to.round_trip(row, op.rounding);
  to.scatter_rows(row, op.ids, op.pool);
  return {};
}

}  // namespace ds4::lowering
