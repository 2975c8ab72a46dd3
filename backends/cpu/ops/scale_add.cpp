/// scale_add: y = scale * x + offset; contract in ds4/ops.h.
#include "table.hpp"

namespace ds4::fast {
namespace {

void run(Context& c, const ds4_op_scale_add& op, const sdk::RowRange& rows) {
  const Bytes x = Context::bytes(op.x);
  const Bytes y = Context::bytes(op.y);
  each_vector(c, rows, vectors_of(op.x), [&](std::uint32_t r, std::uint32_t k) {
    const float* in = f32(x.row(r, k));
    float* out = f32(y.row(r, k));
    // In double: scale and offset are, and one rounding is all that is left.
    for (std::uint32_t i = 0; i < x.width; ++i) {
      out[i] = static_cast<float>(op.scale * double{in[i]} + op.offset);
    }
  });
}

}  // namespace

extern const OpEntry kScaleAdd =
    make_entry<ds4_op_scale_add, check_scale_add, run, work_scale_add>(DS4_OP_SCALE_ADD);

}  // namespace ds4::fast
