/// sample_topk: the k largest logits with their columns, best first; contract in ds4/ops.h.
#include "../kernels/choose.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

void run(Context& c, const ds4_op_topk& op, const sdk::RowRange& rows) {
  const Bytes x = Context::bytes(op.x);
  const Bytes count = Context::bytes(op.count);
  const Bytes ids = Context::bytes(op.ids);
  const Bytes values = Context::bytes(op.values);
  const Order order = Order::best_first;
  each_row(c, rows, [&](std::uint32_t r) {
    const std::int64_t n = count.base != nullptr ? *i32(count.row(r)) : x.width;
    if (n < 0 || n > std::int64_t{x.width}) return c.bad_index("count", r, n, x.width);
    const float* in = f32(x.row(r));
    std::int32_t* best = i32(ids.row(r));
    choose_best(in, static_cast<std::uint32_t>(n), ids.width, order, best);
    if (values.base != nullptr) take_values(in, best, ids.width, f32(values.row(r)));
  });
}

}  // namespace

extern const OpEntry kSampleTopk =
    make_entry<ds4_op_sample, check_sample_topk, run, work_sample_topk>(DS4_OP_SAMPLE_TOPK);

}  // namespace ds4::fast
