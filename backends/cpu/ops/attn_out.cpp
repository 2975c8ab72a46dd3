/// attn_out: the grouped, low-rank output projection (model.md 3.11); contract in ds4/ops.h.
#include <algorithm>

#include "../kernels/product.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

struct Layout {
  float* low;  ///< shared: [rows, groups * rank]
  ProductScratch scratch;
  Layout(Arena& shared, Arena& local, const ds4_op_attn_out& op)
      : low(shared.take<float>(most_rows(op.rows, op.y), low_of(op))),
        scratch(shared, local, std::max(in_of(op), low_of(op))) {}
};

void run(Context& c, const ds4_op_attn_out& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes o = Context::bytes(op.o);
  const Bytes y = Context::bytes(op.y);
  const std::uint32_t groups = op.wo_a->extent[0];
  const std::uint64_t rank = op.wo_a->extent[1];
  const std::uint32_t in = op.wo_a->extent[2];
  const std::uint64_t low = groups * rank;
  for (std::uint32_t g = 0; g < groups; ++g) {
    // Group g reads its own run of heads: consecutive ones, not every G-th.
    Activations x = activations_of(o, rows, in);
    x.base += std::uint64_t{g} * in * sizeof(float);
    product(c, *op.wo_a, g * rank, rank, x, at.scratch, at.low + g * rank, low);
  }
  c.barrier();
  each_product(c, *op.wo_b, 0, y.width,
               contiguous(at.low, rows.count, static_cast<std::uint32_t>(low)), at.scratch,
               [&](std::uint64_t i, std::uint32_t n, std::uint32_t r, const float* sums) {
                 std::copy_n(sums, n, f32(y.row(rows.first + r)) + i);
               });
}

}  // namespace

extern const OpEntry kAttnOut =
    make_entry_with<ds4_op_attn_out, Layout, check_attn_out, run, work_attn_out>(DS4_OP_ATTN_OUT);

}  // namespace ds4::fast
