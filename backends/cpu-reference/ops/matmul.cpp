/// matmul: y = x Wt, each weight row decoded once for all rows of the step; contract in ds4/ops.h.
#include "common.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

struct Layout {
  float* weights;
  Layout(Arena&, Arena& local, const ds4_op_matmul& op)
      : weights(local.take<float>(width_of(op.x))) {}
};

void run(Context& c, const ds4_op_matmul& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes x = Context::bytes(op.x);
  const Bytes y = Context::bytes(op.y);
  const bool accumulates = (op.op.flags & DS4_MATMUL_ACCUMULATE) != 0;
  each_weight_row(c, *op.weight, 0, y.width, at.weights, [&](std::uint64_t o, const float* w) {
    for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
      float& out = f32(y.row(r))[o];
      const double sum = dot(f32(x.row(r)), w, x.width);
      out = static_cast<float>(accumulates ? double{out} + sum : sum);
    }
  });
}

}  // namespace

extern const OpEntry kMatmul =
    make_entry_with<ds4_op_matmul, Layout, check_matmul, run, work_matmul>(DS4_OP_MATMUL);

}  // namespace ds4::reference
