/// ffn_shared: the expert that every row takes (model.md 3.12); contract in ds4/ops.h.
#include "swiglu.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

struct Layout {
  double* middle;  // shared: [rows, inner]
  float* first;
  float* second;
  Layout(Arena& shared, Arena& local, const ds4_op_ffn_shared& op)
      : middle(shared.take<double>(most_rows(op.rows, op.y), inner_of(op))),
        first(local.take<float>(width_of(op.v) > inner_of(op) ? width_of(op.v) : inner_of(op))),
        second(local.take<float>(width_of(op.v))) {}
};

void run(Context& c, const ds4_op_ffn_shared& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes v = Context::bytes(op.v);
  const Bytes y = Context::bytes(op.y);
  const std::uint32_t inner = inner_of(op);
  const bool accumulates = (op.op.flags & DS4_MATMUL_ACCUMULATE) != 0;
  const auto middle = [&](std::uint32_t r) {
    return at.middle + std::uint64_t{r - rows.first} * inner;
  };
  each_weight_row(c, *op.gate, 0, inner, at.first, [&](std::uint64_t j, const float* gate) {
    const float* up = weight_row(*op.up, j, at.second);
    for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
      const float* x = f32(v.row(r));
      middle(r)[j] = swiglu(dot(x, gate, v.width), dot(x, up, v.width), op.limit);
    }
  });
  c.barrier();
  each_weight_row(c, *op.down, 0, y.width, at.first, [&](std::uint64_t o, const float* down) {
    for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
      float& out = f32(y.row(r))[o];
      const double sum = dot(middle(r), down, inner);
      // Rounded before it is added, so that an add of its own gives the same bits.
      const auto value = static_cast<float>(sum);
      out = accumulates ? out + value : value;
    }
  });
}

}  // namespace

extern const OpEntry kFfnShared =
    make_entry_with<ds4_op_ffn_shared, Layout, check_ffn_shared, run, work_ffn_shared>(
        DS4_OP_FFN_SHARED);

}  // namespace ds4::reference
