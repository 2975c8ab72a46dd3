#include "plan/lowering/compositions.hpp"

namespace ds4::lowering {

Result<void> route(const ds4_op_route& op, LoweringSink& sink) {
  Composer to(op.op, op.rows, op.weights, sink);
  DS4_CHECK(to.need_rank("ids", op.ids, 2));
  DS4_CHECK(to.need_rank("weights", op.weights, 2));
  DS4_CHECK(to.need(op.experts != 0, "experts must not be 0"));
  const ds4_view probability = to.scratch(DS4_DTYPE_F32, op.experts);
  to.matmul(op.gate, op.v, probability);
  to.unary(DS4_UNARY_SQRT_SOFTPLUS, probability);

  if (op.table) {
    // A row without a token chooses nobody.
    to.gather_rows(op.table, op.tokens, op.ids, -1);
  } else {
    auto top = to.begin<ds4_op_topk>(DS4_OP_TOPK);
    top.x = probability;
    if (op.bias) {
      // The bias takes part in the choice, not in the weights (model.md 3.12).
      top.x = to.scratch(DS4_DTYPE_F32, op.experts);
      to.binary(DS4_OP_ADD, probability, op.bias, top.x);
    }
    top.ids = op.ids;
    to.emit(top);
  }

  auto take = to.begin<ds4_op_take_columns>(DS4_OP_TAKE_COLUMNS);
  take.x = probability;
  take.ids = op.ids;
  take.y = op.weights;
  to.emit(take);

  auto norm = to.begin<ds4_op_normalize_sum>(DS4_OP_NORMALIZE_SUM);
  norm.x = op.weights;
  norm.y = op.weights;
  norm.floor = op.floor;
  norm.scale = op.scale;
  to.emit(norm);
  return {};
}

}  // namespace ds4::lowering
