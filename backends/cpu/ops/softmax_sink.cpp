/// softmax_sink: softmax with an optional extra logit in the denominator; contract in ds4/ops.h.
#include "../kernels/softmax.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

struct Layout {
  float* sink;
  Layout(Arena&, Arena& local, const ds4_op_softmax_sink& op)
      : sink(local.take<float>(width_of(op.sink))) {}
};

void run(Context& c, const ds4_op_softmax_sink& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes x = Context::bytes(op.x);
  const Bytes y = Context::bytes(op.y);
  const float* sink = op.sink != nullptr ? weight_row(*op.sink, 0, at.sink) : nullptr;
  each_vector(c, rows, x.middle, [&](std::uint32_t r, std::uint32_t h) {
    float* out = f32(y.row(r, h));
    const float total =
        weigh(f32(x.row(r, h)), x.width, 1.0F, sink != nullptr ? sink + h : nullptr, out);
    for (std::uint32_t i = 0; i < x.width; ++i) out[i] = total == 0 ? 0.0F : out[i] / total;
  });
}

}  // namespace

extern const OpEntry kSoftmaxSink =
    make_entry_with<ds4_op_softmax_sink, Layout, check_softmax_sink, run, work_softmax_sink>(
        DS4_OP_SOFTMAX_SINK);

}  // namespace ds4::fast
