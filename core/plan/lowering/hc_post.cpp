#include "plan/lowering/compositions.hpp"

namespace ds4::lowering {

Result<void> hc_post(const ds4_op_hc_post& op, LoweringSink& sink) {
  Composer to(op.op, op.rows, op.y, sink);
  DS4_CHECK(to.need_rank("x", op.x, 3));
  DS4_CHECK(to.need_rank("out", op.out, 2));
  DS4_CHECK(to.need_rank("post", op.post, 2));
  DS4_CHECK(to.need_rank("comb", op.comb, 3));
  DS4_CHECK(to.need_rank("y", op.y, 3));
  // post as a matrix of one column spreads `out` over the streams; comb is [source, destination].
  to.mix_streams(as_scalars(op.post), as_one_stream(op.out), op.y);
  to.mix_streams(op.comb, op.x, op.y, DS4_MIX_TRANSPOSE | DS4_MIX_ACCUMULATE);
  return {};
}

}  // namespace ds4::lowering
