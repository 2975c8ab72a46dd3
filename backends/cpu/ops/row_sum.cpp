/// row_sum: y[i, c] = sum over k ascending of x[i, k, c]; contract in ds4/ops.h.
#include <algorithm>

#include "table.hpp"

namespace ds4::fast {
namespace {

void run(Context& c, const ds4_op_row_sum& op, const sdk::RowRange& rows) {
  const Bytes x = Context::bytes(op.x);
  const Bytes y = Context::bytes(op.y);
  each_row(c, rows, [&](std::uint32_t r) {
    float* out = f32(y.row(r));
    std::fill_n(out, x.width, 0.0F);
    for (std::uint32_t k = 0; k < x.middle; ++k) {
      const float* in = f32(x.row(r, k));
      for (std::uint32_t i = 0; i < x.width; ++i) out[i] += in[i];
    }
  });
}

}  // namespace

extern const OpEntry kRowSum =
    make_entry<ds4_op_row_sum, check_row_sum, run, work_row_sum>(DS4_OP_ROW_SUM);

}  // namespace ds4::fast
