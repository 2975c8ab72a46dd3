/// rms_norm: gain * x / sqrt(mean(x^2) + eps); contract in ds4/ops.h.
#include "../kernels/sums.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

struct Layout {
  float* gain;
  Layout(Arena&, Arena& local, const ds4_op_rms_norm& op)
      : gain(local.take<float>(width_of(op.gain))) {}
};

void run(Context& c, const ds4_op_rms_norm& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes x = Context::bytes(op.x);
  const Bytes y = Context::bytes(op.y);
  const float* gain = op.gain != nullptr ? weight_row(*op.gain, 0, at.gain) : nullptr;
  each_vector(c, rows, vectors_of(op.x), [&](std::uint32_t r, std::uint32_t k) {
    const float* in = f32(x.row(r, k));
    scale_by(in, inverse_rms(in, x.width, op.eps), gain, f32(y.row(r, k)), x.width);
  });
}

}  // namespace

extern const OpEntry kRmsNorm =
    make_entry_with<ds4_op_rms_norm, Layout, check_rms_norm, run, work_rms_norm>(DS4_OP_RMS_NORM);

}  // namespace ds4::fast
