#include "plan/lowering/compositions.hpp"

namespace ds4::lowering {

Result<void> embed_streams(const ds4_op_embed_streams& op, LoweringSink& sink) {
  Composer to(op.op, op.rows, op.x, sink);
  DS4_CHECK(to.need_rank("x", op.x, 3));
  const ds4_view row = to.scratch(DS4_DTYPE_F32, op.x.extent[2]);
  to.gather_rows(op.weight, op.tokens, row);
  for (std::uint32_t c = 0; c < op.x.extent[1]; ++c) to.copy_cast(row, stream_view(op.x, c));
  return {};
}

}  // namespace ds4::lowering
