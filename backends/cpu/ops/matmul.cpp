/// matmul: y = x Wt; contract in ds4/ops.h.
#include "../kernels/product.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

struct Layout {
  ProductScratch scratch;
  Layout(Arena& shared, Arena& local, const ds4_op_matmul& op)
      : scratch(shared, local, width_of(op.x), most_rows(op.rows, op.x)) {}
};

void run(Context& c, const ds4_op_matmul& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes x = Context::bytes(op.x);
  const Bytes y = Context::bytes(op.y);
  const bool accumulates = (op.op.flags & DS4_MATMUL_ACCUMULATE) != 0;
  const Operand operand =
      make_operand(c, at.scratch, activations_of(x, rows, x.width), {op.weight});
  each_product(c, *op.weight, 0, y.width, operand,
               [&](std::uint64_t o, std::uint32_t n, std::uint32_t i, const float* sums) {
                 float* out = f32(y.row(rows.first + i)) + o;
                 for (std::uint32_t k = 0; k < n; ++k) {
                   out[k] = accumulates ? out[k] + sums[k] : sums[k];
                 }
               });
}

}  // namespace

extern const OpEntry kMatmul =
    make_entry_with<ds4_op_matmul, Layout, check_matmul, run, work_matmul>(DS4_OP_MATMUL);

}  // namespace ds4::fast
