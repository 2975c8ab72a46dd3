#include "plan/lowering/compositions.hpp"

namespace ds4::lowering {

Result<void> attention(const ds4_op_attention& op, Composer& to) {
  DS4_CHECK(to.need_rank("y", op.y, 3));
  DS4_CHECK(to.need(op.rope.dims == 0 || (op.rope.flags & DS4_ROPE_INVERSE) != 0,
                    "rope: the result is rotated back, flags must have INVERSE"));
  ds4_op_attention rows = op;
  rows.op = to.begin<ds4_op_attention>(DS4_OP_ATTENTION_ROWS).op;
  rows.rope = {};
  to.emit(rows);
  to.rope_tail(op.y, op.positions, op.rope);
  return {};
}

}  // namespace ds4::lowering
