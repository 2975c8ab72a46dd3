/// q_project: the low-rank query path (model.md 3.4); contract in ds4/ops.h.
///
/// Phases: wq_a by its rows; the norm by rows of the step; wq_b by heads, each finished at once.
#include "table.hpp"
#include "turns.hpp"

namespace ds4::reference {
namespace {

struct Layout {
  double* low;    // shared: [rows, rank], before the norm
  double* heads;  // [rows, head_dim] of the head at hand
  float* weights;
  float* gain;
  Turns turns;
  Layout(Arena& shared, Arena& local, const ds4_op_q_project& op)
      : low(shared.take<double>(most_rows(op.rows, op.q), width_of(op.qr))),
        heads(local.take<double>(most_rows(op.rows, op.q), op.q.extent[2])),
        weights(
            local.take<float>(width_of(op.u) > width_of(op.qr) ? width_of(op.u) : width_of(op.qr))),
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
  each_weight_row(c, *op.wq_a, 0, rank, at.weights, [&](std::uint64_t o, const float* w) {
    for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
      at.low[std::uint64_t{r - rows.first} * rank + o] = dot(f32(u.row(r)), w, u.width);
    }
  });
  c.barrier();

  const float* gain = weight_row(*op.gain, 0, at.gain);
  each_row(c, rows, [&](std::uint32_t r) {
    const double* low = at.low + std::uint64_t{r - rows.first} * rank;
    const double scale = inverse_rms(low, rank, op.eps);
    float* out = f32(qr.row(r));
    for (std::uint32_t i = 0; i < rank; ++i)
      out[i] = static_cast<float>(gain[i] * (low[i] * scale));
  });
  c.barrier();

  at.turns.begin(op.rope);
  const sdk::Part part = c.share(q.middle);
  for (std::uint64_t h = part.begin; h < part.end; ++h) {
    for (std::uint64_t d = 0; d < dim; ++d) {
      const float* w = weight_row(*op.wq_b, h * dim + d, at.weights);
      for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
        at.heads[std::uint64_t{r - rows.first} * dim + d] = dot(f32(qr.row(r)), w, rank);
      }
    }
    for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
      double* head = at.heads + std::uint64_t{r - rows.first} * dim;
      const double scale = inverse_rms(head, dim, op.eps);
      for (std::uint32_t d = 0; d < dim; ++d) head[d] *= scale;
      if (op.rope.dims != 0) at.turns.at(op.rope, *i32(positions.row(r)));
      at.turns.rotate(op.rope, head, dim);
      float* out = f32(q.row(r, static_cast<std::uint32_t>(h)));
      for (std::uint32_t d = 0; d < dim; ++d) out[d] = static_cast<float>(head[d]);
    }
  }
}

}  // namespace

extern const OpEntry kQProject =
    make_entry_with<ds4_op_q_project, Layout, check_q_project, run, work_q_project>(
        DS4_OP_Q_PROJECT);

}  // namespace ds4::reference
