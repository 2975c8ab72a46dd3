/// softmax_sink: softmax with an optional extra logit in the denominator; contract in ds4/ops.h.
#include <limits>

#include "common.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

constexpr double kNone = -std::numeric_limits<double>::infinity();

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
    const float* in = f32(x.row(r, h));
    float* out = f32(y.row(r, h));
    const double extra = sink != nullptr ? sink[h] : kNone;
    double maximum = extra;
    for (std::uint32_t i = 0; i < x.width; ++i) maximum = in[i] > maximum ? in[i] : maximum;
    // Only -inf and no sink: nothing to weigh, and -inf - -inf must not be formed. A NaN is kept.
    const double shift = maximum == kNone ? 0 : maximum;
    double sum = std::exp(extra - shift);
    for (std::uint32_t i = 0; i < x.width; ++i) sum += std::exp(in[i] - shift);
    for (std::uint32_t i = 0; i < x.width; ++i) {
      const double weight = std::exp(in[i] - shift);
      out[i] = static_cast<float>(sum == 0 ? 0.0 : weight / sum);
    }
  });
}

}  // namespace

extern const OpEntry kSoftmaxSink =
    make_entry_with<ds4_op_softmax_sink, Layout, check_softmax_sink, run, work_softmax_sink>(
        DS4_OP_SOFTMAX_SINK);

}  // namespace ds4::reference
