/// sample_argmax: the column of the largest logit; contract in ds4/ops.h.
#include "../kernels/choose.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

void run(Context& c, const ds4_op_sample& op, const sdk::RowRange& rows) {
  const Bytes x = Context::bytes(op.x);
  const Bytes count = Context::bytes(op.count);
  const Bytes ids = Context::bytes(op.ids);
  const Bytes values = Context::bytes(op.values);
  each_row(c, rows, [&](std::uint32_t r) {
    const std::int64_t n = count.base != nullptr ? *i32(count.row(r)) : x.width;
    if (n < 0 || n > std::int64_t{x.width}) return c.bad_index("count", r, n, x.width);
    const float* in = f32(x.row(r));
    std::int32_t* best = i32(ids.row(r));
    choose_best(in, static_cast<std::uint32_t>(n), 1, Order::best_first, best);
    if (values.base != nullptr) take_values(in, best, 1, f32(values.row(r)));
  });
}

}  // namespace

extern const OpEntry kSampleArgmax =
    make_entry<ds4_op_sample, check_sample_argmax, run, work_sample_argmax>(DS4_OP_SAMPLE_ARGMAX);

}  // namespace ds4::fast
