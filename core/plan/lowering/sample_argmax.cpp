#include "plan/lowering/compositions.hpp"

namespace ds4::lowering {

Result<void> sample_argmax(const ds4_op_sample& op, LoweringSink& sink) {
  Composer to(op.op, op.rows, op.x, sink);
  DS4_CHECK(to.need(op.ids.rank == 1 || (op.ids.rank == 2 && op.ids.extent[1] == 1),
                    "ids: wanted one id a row"));
  ds4_op_topk top = op;
  top.op = to.begin<ds4_op_topk>(DS4_OP_TOPK).op;
  if (op.ids.rank == 1) top.ids = as_scalars(op.ids);
  to.emit(top);
  return {};
}

}  // namespace ds4::lowering
