/// attn_out: the grouped, low-rank output projection (model.md 3.11); contract in ds4/ops.h.
#include "common.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

struct Layout {
  double* low;  // shared: [rows, groups * rank]
  float* weights;
  Layout(Arena& shared, Arena& local, const ds4_op_attn_out& op)
      : low(shared.take<double>(most_rows(op.rows, op.y), low_of(op))),
        weights(local.take<float>(in_of(op) > low_of(op) ? in_of(op) : low_of(op))) {}
};

void run(Context& c, const ds4_op_attn_out& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes o = Context::bytes(op.o);
  const Bytes y = Context::bytes(op.y);
  const std::uint32_t rank = op.wo_a->extent[1];
  const std::uint32_t in = op.wo_a->extent[2];
  const std::uint64_t low = low_of(op);
  const auto low_row = [&](std::uint32_t r) { return at.low + (r - rows.first) * low; };
  each_weight_row(c, *op.wo_a, 0, low, at.weights, [&](std::uint64_t i, const float* w) {
    // Group g reads its own run of heads: consecutive ones, not every G-th.
    const std::uint64_t group = i / rank;
    for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
      low_row(r)[i] = dot(f32(o.row(r)) + group * in, w, in);
    }
  });
  c.barrier();
  each_weight_row(c, *op.wo_b, 0, y.width, at.weights, [&](std::uint64_t i, const float* w) {
    for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
      f32(y.row(r))[i] = static_cast<float>(dot(low_row(r), w, low));
    }
  });
}

}  // namespace

extern const OpEntry kAttnOut =
    make_entry_with<ds4_op_attn_out, Layout, check_attn_out, run, work_attn_out>(DS4_OP_ATTN_OUT);

}  // namespace ds4::reference
