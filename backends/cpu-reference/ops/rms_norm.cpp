/// rms_norm: gain * x / sqrt(mean(x^2) + eps); contract in ds4/ops.h.
#include "common.hpp"
#include "table.hpp"

namespace ds4::reference {
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
    float* out = f32(y.row(r, k));
    const double scale = inverse_rms(in, x.width, op.eps);
    for (std::uint32_t i = 0; i < x.width; ++i) {
      const double normed = in[i] * scale;
      out[i] = static_cast<float>(gain != nullptr ? gain[i] * normed : normed);
    }
  });
}

}  // namespace

extern const OpEntry kRmsNorm =
    make_entry_with<ds4_op_rms_norm, Layout, check_rms_norm, run, work_rms_norm>(DS4_OP_RMS_NORM);

}  // namespace ds4::reference
