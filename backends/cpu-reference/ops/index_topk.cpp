/// index_topk: the k best entries of each row by a heap whose top is the worst; contract in
/// ds4/ops.h.
#include <algorithm>

#include "common.hpp"
#include "cpu-common/ranking.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

void run(Context& c, const ds4_op_index_topk& op, const sdk::RowRange& rows) {
  const Bytes scores = Context::bytes(op.scores);
  const Bytes count = Context::bytes(op.count);
  const Bytes ids = Context::bytes(op.ids);
  each_row(c, rows, [&](std::uint32_t r) {
    const float* score = f32(scores.row(r));
    const std::int32_t n = *i32(count.row(r));
    if (n < 0 || std::uint32_t(n) > scores.width) {
      return c.bad_index("count", r, n, scores.width);
    }
    std::int32_t* heap = i32(ids.row(r));
    std::int32_t* end = heap;
    const auto order = [&](std::int32_t a, std::int32_t b) { return ranks_before(score, a, b); };
    for (std::int32_t e = 0; e < n; ++e) {
      if (!is_candidate(score[e])) continue;
      if (end == heap + ids.width) {
        if (end == heap || !order(e, heap[0])) continue;
        std::pop_heap(heap, end, order);
        --end;
      }
      *end++ = e;
      std::push_heap(heap, end, order);
    }
    std::sort(heap, end);
    std::fill(end, heap + ids.width, -1);
  });
}

}  // namespace

extern const OpEntry kIndexTopk =
    make_entry<ds4_op_index_topk, check_index_topk, run, work_index_topk>(DS4_OP_INDEX_TOPK);

}  // namespace ds4::reference
