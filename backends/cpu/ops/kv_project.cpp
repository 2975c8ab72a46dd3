/// kv_project: the shared key and value row with all its rounding (model.md 3.6); contract in
/// ds4/ops.h.
#include <algorithm>

#include "../kernels/product.hpp"
#include "../kernels/sums.hpp"
#include "../kernels/turns.hpp"
#include "cpu-common/row_codec.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

struct Layout {
  ProductScratch scratch;
  float* gain;
  Turns turns;
  Layout(Arena& shared, Arena& local, const ds4_op_kv_project& op)
      : scratch(shared, local, width_of(op.u), most_rows(op.rows, op.kv)),
        gain(local.take<float>(width_of(op.kv))),
        turns(local, op.rope) {}
};

void run(Context& c, const ds4_op_kv_project& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes u = Context::bytes(op.u);
  const Bytes kv = Context::bytes(op.kv);
  const Bytes positions = Context::bytes(op.positions);
  const Operand operand = make_operand(c, at.scratch, activations_of(u, rows, u.width), {op.wkv});
  each_product(c, *op.wkv, 0, kv.width, operand,
               [&](std::uint64_t o, std::uint32_t n, std::uint32_t i, const float* sums) {
                 std::copy_n(sums, n, f32(kv.row(rows.first + i)) + o);
               });
  c.barrier();

  const float* gain = weight_row(*op.gain, 0, at.gain);
  at.turns.begin(op.rope);
  each_row(c, rows, [&](std::uint32_t r) {
    float* row = f32(kv.row(r));
    scale_by(row, inverse_rms(row, kv.width, op.eps), gain, row, kv.width);
    if (op.rope.dims != 0) at.turns.at(op.rope, *i32(positions.row(r)));
    at.turns.rotate(op.rope, row, kv.width);
    round_row(op.rounding, row, kv.width);
  });
}

}  // namespace

extern const OpEntry kKvProject =
    make_entry_with<ds4_op_kv_project, Layout, check_kv_project, run, work_kv_project>(
        DS4_OP_KV_PROJECT);

}  // namespace ds4::fast
