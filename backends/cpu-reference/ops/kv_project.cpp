/// kv_project: the shared key and value row with all its rounding (model.md 3.6); contract in
/// ds4/ops.h.
#include "cpu-common/row_codec.hpp"
#include "table.hpp"
#include "turns.hpp"

namespace ds4::reference {
namespace {

struct Layout {
  double* raw;  // shared: [rows, head_dim]
  float* weights;
  float* gain;
  Turns turns;
  Layout(Arena& shared, Arena& local, const ds4_op_kv_project& op)
      : raw(shared.take<double>(most_rows(op.rows, op.kv), width_of(op.kv))),
        weights(local.take<float>(width_of(op.u))),
        gain(local.take<float>(width_of(op.kv))),
        turns(local, op.rope) {}
};

void run(Context& c, const ds4_op_kv_project& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes u = Context::bytes(op.u);
  const Bytes kv = Context::bytes(op.kv);
  const Bytes positions = Context::bytes(op.positions);
  each_weight_row(c, *op.wkv, 0, kv.width, at.weights, [&](std::uint64_t o, const float* w) {
    for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
      at.raw[std::uint64_t{r - rows.first} * kv.width + o] = dot(f32(u.row(r)), w, u.width);
    }
  });
  c.barrier();

  const float* gain = weight_row(*op.gain, 0, at.gain);
  at.turns.begin(op.rope);
  each_row(c, rows, [&](std::uint32_t r) {
    double* row = at.raw + std::uint64_t{r - rows.first} * kv.width;
    const double scale = inverse_rms(row, kv.width, op.eps);
    for (std::uint32_t d = 0; d < kv.width; ++d) row[d] = gain[d] * (row[d] * scale);
    if (op.rope.dims != 0) at.turns.at(op.rope, *i32(positions.row(r)));
    at.turns.rotate(op.rope, row, kv.width);
    float* out = f32(kv.row(r));
    for (std::uint32_t d = 0; d < kv.width; ++d) out[d] = static_cast<float>(row[d]);
    round_row(op.rounding, out, kv.width);
  });
}

}  // namespace

extern const OpEntry kKvProject =
    make_entry_with<ds4_op_kv_project, Layout, check_kv_project, run, work_kv_project>(
        DS4_OP_KV_PROJECT);

}  // namespace ds4::reference
