/// topk: the k best columns of each row by sorted insertion; contract in ds4/ops.h.
#include <algorithm>

#include "common.hpp"
#include "cpu-common/ranking.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

void run(Context& c, const ds4_op_topk& op, const sdk::RowRange& rows) {
  const Bytes x = Context::bytes(op.x);
  const Bytes count = Context::bytes(op.count);
  const Bytes ids = Context::bytes(op.ids);
  const Bytes values = Context::bytes(op.values);
  each_row(c, rows, [&](std::uint32_t r) {
    const float* in = f32(x.row(r));
    const std::int64_t n = count.base != nullptr ? *i32(count.row(r)) : x.width;
    if (n < 0 || n > std::int64_t{x.width}) return c.bad_index("count", r, n, x.width);
    std::int32_t* best = i32(ids.row(r));
    std::uint32_t found = 0;
    for (std::int32_t e = 0; e < n; ++e) {
      if (!is_candidate(in[e]) || ids.width == 0) continue;
      if (found == ids.width && !ranks_before(in, e, best[found - 1])) continue;
      std::uint32_t at = found < ids.width ? found++ : found - 1;
      for (; at > 0 && ranks_before(in, e, best[at - 1]); --at) best[at] = best[at - 1];
      best[at] = e;
    }
    if ((op.op.flags & DS4_TOPK_ASCENDING_IDS) != 0) std::sort(best, best + found);
    std::fill(best + found, best + ids.width, -1);
    if (values.base == nullptr) return;
    for (std::uint32_t k = 0; k < ids.width; ++k) {
      f32(values.row(r))[k] = best[k] < 0 ? -std::numeric_limits<float>::infinity() : in[best[k]];
    }
  });
}

}  // namespace

extern const OpEntry kTopk = make_entry<ds4_op_topk, check_topk, run, work_topk>(DS4_OP_TOPK);

}  // namespace ds4::reference
