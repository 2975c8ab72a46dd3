/// sample_argmax: the column of the largest logit; contract in ds4/ops.h.
#include "common.hpp"
#include "cpu-common/ranking.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

void run(Context& c, const ds4_op_sample& op, const sdk::RowRange& rows) {
  const Bytes x = Context::bytes(op.x);
  const Bytes count = Context::bytes(op.count);
  const Bytes ids = Context::bytes(op.ids);
  const Bytes values = Context::bytes(op.values);
  each_row(c, rows, [&](std::uint32_t r) {
    const float* logits = f32(x.row(r));
    const std::int64_t n = count.base != nullptr ? *i32(count.row(r)) : x.width;
    if (n < 0 || n > std::int64_t{x.width}) return c.bad_index("count", r, n, x.width);
    std::int32_t best = -1;
    for (std::int32_t e = 0; e < n; ++e) {
      if (is_candidate(logits[e]) && (best < 0 || ranks_before(logits, e, best))) best = e;
    }
    *i32(ids.row(r)) = best;
    if (values.base != nullptr) {
      *f32(values.row(r)) = best < 0 ? -std::numeric_limits<float>::infinity() : logits[best];
    }
  });
}

}  // namespace

extern const OpEntry kSampleArgmax =
    make_entry<ds4_op_sample, check_sample_argmax, run, work_sample_argmax>(DS4_OP_SAMPLE_ARGMAX);

}  // namespace ds4::reference
