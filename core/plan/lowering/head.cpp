#include "plan/lowering/compositions.hpp"

namespace ds4::lowering {

Result<void> head(const ds4_op_head& op, LoweringSink& sink) {
  Composer to(op.op, op.rows, op.logits, sink);
  DS4_CHECK(to.need_rank("x", op.x, 3));
  DS4_CHECK(to.need_rank("logits", op.logits, 2));
  const auto flat = flatten_rows(op.x);
  DS4_CHECK(to.need(flat.has_value(), "x: the streams of a row must lie side by side"));
  // gather_rows counts from the first row of its table, ids count rows of the step.
  DS4_CHECK(to.need(op.x.first_row == 0, "x: wanted all rows of the step, not a tile"));
  const std::uint32_t streams = op.x.extent[1];
  const std::uint32_t width = op.x.extent[2];

  const ds4_view x = to.scratch(DS4_DTYPE_F32, streams, width);
  const ds4_view unit = to.scratch(DS4_DTYPE_F32, streams * width);
  const ds4_view pre = to.scratch(DS4_DTYPE_F32, streams);
  const ds4_view mixed = to.scratch(DS4_DTYPE_F32, width);
  auto gather = to.begin<ds4_op_gather_rows>(DS4_OP_GATHER_ROWS);
  gather.x = *flat;
  gather.ids = op.ids;
  gather.y = *flatten_rows(x);
  to.emit(gather);

  to.rms_norm(nullptr, *flatten_rows(x), unit, op.eps);
  to.matmul(op.fn, unit, pre);
  to.binary(DS4_OP_MUL, pre, op.scale, pre);
  to.binary(DS4_OP_ADD, pre, op.base, pre);
  to.unary(DS4_UNARY_SIGMOID, pre);
  to.scale_add(pre, 1, op.hc_eps);
  to.mix_streams(as_one_stream(pre), x, as_one_stream(mixed));
  to.rms_norm(op.gain, mixed, mixed, op.eps);
  to.matmul(op.output, mixed, op.logits);
  return {};
}

}  // namespace ds4::lowering
