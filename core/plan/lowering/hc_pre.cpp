#include "plan/lowering/compositions.hpp"

namespace ds4::lowering {

Result<void> hc_pre(const ds4_op_hc_pre& op, LoweringSink& sink) {
  Composer to(op.op, op.rows, op.y, sink);
  DS4_CHECK(to.need_rank("x", op.x, 3));
  DS4_CHECK(to.need_rank("y", op.y, 2));
  DS4_CHECK(to.need_rank("post", op.post, 2));
  DS4_CHECK(to.need_rank("comb", op.comb, 3));
  const std::uint32_t streams = op.x.extent[1];
  const auto flat = flatten_rows(op.x);
  DS4_CHECK(to.need(flat.has_value(), "x: the streams of a row must lie side by side"));

  const ds4_view unit = to.scratch(DS4_DTYPE_F32, flat->extent[1]);
  const ds4_view mixes = to.scratch(DS4_DTYPE_F32, (2 + streams) * streams);
  const ds4_view pre = to.scratch(DS4_DTYPE_F32, streams);
  to.rms_norm(nullptr, *flat, unit, op.eps);
  to.matmul(op.fn, unit, mixes);

  auto split = to.begin<ds4_op_sinkhorn_split>(DS4_OP_SINKHORN_SPLIT);
  split.scale = op.scale;
  split.base = op.base;
  split.mixes = mixes;
  split.pre = pre;
  split.post = op.post;
  split.comb = op.comb;
  split.eps = op.hc_eps;
  split.iterations = op.iterations;
  to.emit(split);

  // The weighted sum takes the streams as they are, not the normalised copy (model.md 3.2).
  to.mix_streams(as_one_stream(pre), op.x, as_one_stream(op.y));
  to.rms_norm(op.gain, op.y, op.y, op.eps);
  return {};
}

}  // namespace ds4::lowering
