#include "plan/lowering/compositions.hpp"

namespace ds4::lowering {

Result<void> steer(const ds4_op_steer& op, LoweringSink& sink) {
  Composer to(op.op, op.rows, op.x, sink);
  DS4_CHECK(to.need_rank("x", op.x, 3));
  const ds4_view along = to.scratch(DS4_DTYPE_F32, 1);
  const ds4_view first = to.scratch(DS4_DTYPE_I32, 1);
  const ds4_view change = to.scratch(DS4_DTYPE_F32, op.x.extent[2]);
  // The index list of gather_rows has rank 1: the one column of `first`.
  ds4_view zeros = first;
  zeros.rank = 1;
  zeros.extent[1] = 0;
  zeros.stride[1] = 0;
  for (std::uint32_t c = 0; c < op.x.extent[1]; ++c) {
    const ds4_view x = stream_view(op.x, c);
    to.matmul(op.direction, x, along);
    auto fill = to.begin<ds4_op_fill>(DS4_OP_FILL);
    fill.y = first;
    to.emit(fill);
    to.gather_rows(op.direction, zeros, change);
    to.binary(DS4_OP_MUL, change, along, change);
    to.scale_add(change, -op.scale, 0);
    to.binary(DS4_OP_ADD, x, change, x);
  }
  return {};
}

}  // namespace ds4::lowering
