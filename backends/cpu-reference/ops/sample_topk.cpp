/// sample_topk: the k largest logits with their columns, best first; contract in ds4/ops.h.
#include <algorithm>

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
    std::int32_t* heap = i32(ids.row(r));
    std::int32_t* end = heap;
    const auto order = [&](std::int32_t a, std::int32_t b) { return ranks_before(logits, a, b); };
    for (std::int32_t e = 0; e < n; ++e) {
      if (!is_candidate(logits[e])) continue;
      if (end == heap + ids.width) {
        if (end == heap || !order(e, heap[0])) continue;
        std::pop_heap(heap, end, order);
        --end;
      }
      *end++ = e;
      std::push_heap(heap, end, order);
    }
    std::sort_heap(heap, end, order);
    std::fill(end, heap + ids.width, -1);
    for (std::uint32_t k = 0; values.base != nullptr && k < ids.width; ++k) {
      f32(values.row(r))[k] =
          heap[k] < 0 ? -std::numeric_limits<float>::infinity() : logits[heap[k]];
    }
  });
}

}  // namespace

extern const OpEntry kSampleTopk =
    make_entry<ds4_op_sample, check_sample_topk, run, work_sample_topk>(DS4_OP_SAMPLE_TOPK);

}  // namespace ds4::reference
