/// steer: removes a part of one direction from every stream; contract in ds4/ops.h.
#include "../kernels/sums.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

struct Layout {
  float* direction;
  Layout(Arena&, Arena& local, const ds4_op_steer& op)
      : direction(local.take<float>(width_of(op.x))) {}
};

void run(Context& c, const ds4_op_steer& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes x = Context::bytes(op.x);
  const float* direction = weight_row(*op.direction, 0, at.direction);
  each_vector(c, rows, x.middle, [&](std::uint32_t r, std::uint32_t s) {
    float* stream = f32(x.row(r, s));
    const double part = op.scale * double{dot(stream, direction, x.width)};
    add_scaled(stream, static_cast<float>(-part), direction, x.width);
  });
}

}  // namespace

extern const OpEntry kSteer =
    make_entry_with<ds4_op_steer, Layout, check_steer, run, work_steer>(DS4_OP_STEER);

}  // namespace ds4::fast
