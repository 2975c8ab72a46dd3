/// ffn_shared: the expert that every row takes (model.md 3.12); contract in ds4/ops.h.
#include <algorithm>

#include "../kernels/gated_unit.hpp"
#include "../kernels/product.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

struct Layout {
  float* gate;  ///< shared: [rows, inner], then the unit's values
  float* up;    ///< shared: [rows, inner]
  ProductScratch scratch;
  Layout(Arena& shared, Arena& local, const ds4_op_ffn_shared& op)
      : gate(shared.take<float>(most_rows(op.rows, op.y), inner_of(op))),
        up(shared.take<float>(most_rows(op.rows, op.y), inner_of(op))),
        scratch(shared, local, std::max(width_of(op.v), inner_of(op)), most_rows(op.rows, op.y)) {}
};

void run(Context& c, const ds4_op_ffn_shared& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes v = Context::bytes(op.v);
  const Bytes y = Context::bytes(op.y);
  const std::uint32_t inner = inner_of(op);
  const bool accumulates = (op.op.flags & DS4_MATMUL_ACCUMULATE) != 0;
  const Operand x = make_operand(c, at.scratch, activations_of(v, rows, v.width), {op.gate, op.up});
  product(c, *op.gate, 0, inner, x, at.gate, inner);
  product(c, *op.up, 0, inner, x, at.up, inner);
  // Both are shared out alike, so this thread made what it joins here.
  const sdk::Part units = share_of_rows(c, inner);
  for (std::uint32_t i = 0; i < rows.count; ++i) {
    float* gate = at.gate + std::uint64_t{i} * inner + units.begin;
    gated_units(gate, at.up + std::uint64_t{i} * inner + units.begin, op.limit, 1.0F, gate,
                units.end - units.begin);
  }
  c.barrier();
  const Operand middle =
      make_operand(c, at.scratch, contiguous(at.gate, rows.count, inner), {op.down});
  each_product(c, *op.down, 0, y.width, middle,
               [&](std::uint64_t o, std::uint32_t n, std::uint32_t i, const float* sums) {
                 float* out = f32(y.row(rows.first + i)) + o;
                 for (std::uint32_t k = 0; k < n; ++k) {
                   out[k] = accumulates ? out[k] + sums[k] : sums[k];
                 }
               });
}

}  // namespace

extern const OpEntry kFfnShared =
    make_entry_with<ds4_op_ffn_shared, Layout, check_ffn_shared, run, work_ffn_shared>(
        DS4_OP_FFN_SHARED);

}  // namespace ds4::fast
