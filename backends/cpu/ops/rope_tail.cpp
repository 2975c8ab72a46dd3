/// rope_tail: rotates the last values of each vector by its row's position; contract in ds4/ops.h.
#include <algorithm>

#include "../kernels/turns.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

struct Layout {
  Turns turns;
  Layout(Arena&, Arena& local, const ds4_op_rope_tail& op) : turns(local, op.rope) {}
};

void run(Context& c, const ds4_op_rope_tail& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes x = Context::bytes(op.x);
  const Bytes positions = Context::bytes(op.positions);
  const Bytes y = Context::bytes(op.y);
  at.turns.begin(op.rope);
  each_row(c, rows, [&](std::uint32_t r) {
    at.turns.at(op.rope, *i32(positions.row(r)));
    for (std::uint32_t k = 0; k < vectors_of(op.x); ++k) {
      const float* in = f32(x.row(r, k));
      float* out = f32(y.row(r, k));
      if (in != out) std::copy_n(in, x.width, out);
      at.turns.rotate(op.rope, out, x.width);
    }
  });
}

}  // namespace

extern const OpEntry kRopeTail =
    make_entry_with<ds4_op_rope_tail, Layout, check_rope_tail, run, work_rope_tail>(
        DS4_OP_ROPE_TAIL);

}  // namespace ds4::fast
