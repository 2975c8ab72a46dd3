#include "plan/lowering/compositions.hpp"

namespace ds4::lowering {

Result<void> compress_project(const ds4_op_compress_project& op, LoweringSink& sink) {
  Composer to(op.op, op.rows, op.pairs, sink);
  DS4_CHECK(to.need_rank("pairs", op.pairs, 2));
  DS4_CHECK(to.need(op.pairs.extent[1] % 2 == 0, "pairs: a row holds values and as many scores"));
  const std::uint32_t columns = op.pairs.extent[1] / 2;
  const ds4_view values = column_view(op.pairs, 0, columns);
  const ds4_view scores = column_view(op.pairs, columns, columns);
  const ds4_view ape = to.scratch(DS4_DTYPE_F32, columns);
  to.matmul(op.wkv, op.u, values);
  to.matmul(op.wgate, op.u, scores);
  to.gather_rows(op.ape, op.ape_rows, ape);
  to.binary(DS4_OP_ADD, scores, ape, scores);
  return {};
}

}  // namespace ds4::lowering
