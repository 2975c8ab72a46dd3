/// attn_out: the grouped, low-rank output projection (model.md 3.11); contract in ds4/ops.h.
#include <algorithm>

#include "../kernels/product.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

struct Layout {
  float* low;  ///< shared: [rows, groups * rank]
  ProductScratch of_o;
  ProductScratch of_low;
  Layout(Arena& shared, Arena& local, const ds4_op_attn_out& op)
      : low(shared.take<float>(most_rows(op.rows, op.y), low_of(op))),
        of_o(shared, local, in_of(op), most_rows(op.rows, op.y)),
        of_low(shared, local, low_of(op), most_rows(op.rows, op.y)) {}
};

void run(Context& c, const ds4_op_attn_out& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes o = Context::bytes(op.o);
  const Bytes y = Context::bytes(op.y);
  const std::uint32_t groups = op.wo_a->extent[0];
  const std::uint64_t rank = op.wo_a->extent[1];
  const std::uint32_t in = op.wo_a->extent[2];
  const std::uint64_t low = groups * rank;
  // Group g reads its own run of heads: consecutive ones, not every G-th.
  const Operand parts = make_operand(c, at.of_o, parts_of(o, rows, groups, in), {op.wo_a});
  for (std::uint32_t g = 0; g < groups; ++g) {
    each_product_step(c, *op.wo_a, g * rank, rank, parts, g, groups,
                      [&](std::uint64_t i, std::uint32_t n, std::uint32_t r, const float* sums) {
                        std::copy_n(sums, n, at.low + r * low + g * rank + i);
                      });
  }
  c.barrier();
  const Operand joined = make_operand(
      c, at.of_low, contiguous(at.low, rows.count, static_cast<std::uint32_t>(low)), {op.wo_b});
  each_product(c, *op.wo_b, 0, y.width, joined,
               [&](std::uint64_t i, std::uint32_t n, std::uint32_t r, const float* sums) {
                 std::copy_n(sums, n, f32(y.row(rows.first + r)) + i);
               });
}

}  // namespace

extern const OpEntry kAttnOut =
    make_entry_with<ds4_op_attn_out, Layout, check_attn_out, run, work_attn_out>(DS4_OP_ATTN_OUT);

}  // namespace ds4::fast
