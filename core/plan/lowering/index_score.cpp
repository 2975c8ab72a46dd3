#include "plan/lowering/compositions.hpp"

namespace ds4::lowering {

Result<void> index_score(const ds4_op_index_score& op, LoweringSink& sink) {
  Composer to(op.op, op.rows, op.scores, sink);
  DS4_CHECK(to.need_rank("scores", op.scores, 2));
  DS4_CHECK(to.need(op.heads != 0 && op.dim != 0, "heads and dim must not be 0"));
  const ds4_view queries = to.scratch(DS4_DTYPE_F32, op.heads, op.dim);
  const ds4_view weights = to.scratch(DS4_DTYPE_F32, op.heads);
  const ds4_view products = to.scratch(DS4_DTYPE_F32, op.heads, op.scores.extent[1]);

  to.matmul(op.wq_b, op.qr, *flatten_rows(queries));
  to.rope_tail(queries, op.positions, op.rope);
  to.round_trip(queries, op.rounding);
  to.matmul(op.proj, op.u, weights);
  to.scale_add(weights, op.scale, 0);

  auto dot = to.begin<ds4_op_matmul_act>(DS4_OP_MATMUL_ACT);
  dot.q = queries;
  dot.keys = op.keys;
  dot.y = products;
  to.emit(dot);

  to.unary(DS4_UNARY_RELU, *flatten_rows(products));
  to.binary(DS4_OP_MUL, products, as_scalars(weights), products);
  to.row_sum(products, op.scores);
  return {};
}

}  // namespace ds4::lowering
