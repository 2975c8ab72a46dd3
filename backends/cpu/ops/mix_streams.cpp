/// mix_streams: a small matrix per row times the row's streams; contract in ds4/ops.h.
#include <algorithm>

#include "../kernels/sums.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

void run(Context& c, const ds4_op_mix_streams& op, const sdk::RowRange& rows) {
  const Bytes a = Context::bytes(op.a);
  const Bytes x = Context::bytes(op.x);
  const Bytes y = Context::bytes(op.y);
  const bool is_transposed = (op.op.flags & DS4_MIX_TRANSPOSE) != 0;
  const bool accumulates = (op.op.flags & DS4_MIX_ACCUMULATE) != 0;
  each_vector(c, rows, y.middle, [&](std::uint32_t r, std::uint32_t m) {
    float* out = f32(y.row(r, m));
    if (!accumulates) std::fill_n(out, y.width, 0.0F);
    for (std::uint32_t n = 0; n < x.middle; ++n) {
      const float factor = is_transposed ? f32(a.row(r, n))[m] : f32(a.row(r, m))[n];
      add_scaled(out, factor, f32(x.row(r, n)), y.width);
    }
  });
}

}  // namespace

extern const OpEntry kMixStreams =
    make_entry<ds4_op_mix_streams, check_mix_streams, run, work_mix_streams>(DS4_OP_MIX_STREAMS);

}  // namespace ds4::fast
