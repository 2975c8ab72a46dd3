#include "plan/lowering/compositions.hpp"

namespace ds4::lowering {

Result<void> sample_topk(const ds4_op_sample& op, LoweringSink& sink) {
  Composer to(op.op, op.rows, op.x, sink);
  DS4_CHECK(to.need_rank("ids", op.ids, 2));
  ds4_op_topk top = op;
  top.op = to.begin<ds4_op_topk>(DS4_OP_TOPK).op;
  to.emit(top);
  return {};
}

}  // namespace ds4::lowering
