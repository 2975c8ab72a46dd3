#include "plan/lowering/compositions.hpp"

namespace ds4::lowering {

Result<void> compress_commit(const ds4_op_commit& op, LoweringSink& sink) {
  Composer to(op.op, op.rows, op.x, sink);
  DS4_CHECK(to.need_rank("x", op.x, 2));
  to.scatter_rows(op.x, op.ids, op.y);
  return {};
}

}  // namespace ds4::lowering
