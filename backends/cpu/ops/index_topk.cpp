/// index_topk: the k best entries of each row, ascending; contract in ds4/ops.h.
#include "../kernels/choose.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

void run(Context& c, const ds4_op_index_topk& op, const sdk::RowRange& rows) {
  const Bytes scores = Context::bytes(op.scores);
  const Bytes count = Context::bytes(op.count);
  const Bytes ids = Context::bytes(op.ids);
  each_row(c, rows, [&](std::uint32_t r) {
    const std::int32_t n = *i32(count.row(r));
    if (n < 0 || std::uint32_t(n) > scores.width) {
      return c.bad_index("count", r, n, scores.width);
    }
    choose_best(f32(scores.row(r)), static_cast<std::uint32_t>(n), ids.width, Order::ascending_ids,
                i32(ids.row(r)));
  });
}

}  // namespace

extern const OpEntry kIndexTopk =
    make_entry<ds4_op_index_topk, check_index_topk, run, work_index_topk>(DS4_OP_INDEX_TOPK);

}  // namespace ds4::fast
