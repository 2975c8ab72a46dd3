/// q_project: the low-rank query path (model.md 3.4); contract in ds4/ops.h.
#include <algorithm>

#include "../kernels/product.hpp"
#include "../kernels/sums.hpp"
#include "../kernels/turns.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

/// Phases: wq_a by its rows; the norm by rows of the step; wq_b by its rows; the heads' norms and
/// rotations by (row, head).
struct Layout {
  ProductScratch scratch;
  float* gain;
  Turns turns;
  Layout(Arena& shared, Arena& local, const ds4_op_q_project& op)
      : scratch(shared, local, std::max(width_of(op.u), width_of(op.qr)), most_rows(op.rows, op.q)),
        gain(local.take<float>(width_of(op.qr))),
        turns(local, op.rope) {}
};

void run(Context& c, const ds4_op_q_project& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes u = Context::bytes(op.u);
  const Bytes qr = Context::bytes(op.qr);
  const Bytes q = Context::bytes(op.q);
  const Bytes positions = Context::bytes(op.positions);
  const std::uint32_t rank = qr.width;
  const std::uint32_t dim = q.width;
  const Operand hidden = make_operand(c, at.scratch, activations_of(u, rows, u.width), {op.wq_a});
  each_product(c, *op.wq_a, 0, rank, hidden,
               [&](std::uint64_t o, std::uint32_t n, std::uint32_t i, const float* sums) {
                 std::copy_n(sums, n, f32(qr.row(rows.first + i)) + o);
               });
  c.barrier();

  const float* gain = weight_row(*op.gain, 0, at.gain);
  each_row(c, rows, [&](std::uint32_t r) {
    float* low = f32(qr.row(r));
    scale_by(low, inverse_rms(low, rank, op.eps), gain, low, rank);
  });
  c.barrier();

  const auto put = [&](std::uint32_t r, std::uint64_t o, std::uint32_t n, const float* sums) {
    // A tile may end in the next head.
    for (std::uint32_t k = 0; k < n; ++k) {
      f32(q.row(r, static_cast<std::uint32_t>((o + k) / dim)))[(o + k) % dim] = sums[k];
    }
  };
  const Operand low = make_operand(c, at.scratch, activations_of(qr, rows, rank), {op.wq_b});
  each_product(c, *op.wq_b, 0, std::uint64_t{q.middle} * dim, low,
               [&](std::uint64_t o, std::uint32_t n, std::uint32_t i, const float* sums) {
                 put(rows.first + i, o, n, sums);
               });
  c.barrier();

  at.turns.begin(op.rope);
  std::uint32_t current = rows.first - 1;
  each_vector(c, rows, q.middle, [&](std::uint32_t r, std::uint32_t h) {
    if (r != current && op.rope.dims != 0) at.turns.at(op.rope, *i32(positions.row(r)));
    current = r;
    float* head = f32(q.row(r, h));
    scale_by(head, inverse_rms(head, dim, op.eps), nullptr, head, dim);
    at.turns.rotate(op.rope, head, dim);
  });
}

}  // namespace

extern const OpEntry kQProject =
    make_entry_with<ds4_op_q_project, Layout, check_q_project, run, work_q_project>(
        DS4_OP_Q_PROJECT);

}  // namespace ds4::fast
