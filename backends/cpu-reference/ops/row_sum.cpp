/// row_sum: y[i, c] = sum over k ascending of x[i, k, c]; contract in ds4/ops.h.
#include "common.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

void run(Context& c, const ds4_op_row_sum& op, const sdk::RowRange& rows) {
  const Bytes x = Context::bytes(op.x);
  const Bytes y = Context::bytes(op.y);
  each_row(c, rows, [&](std::uint32_t r) {
    float* out = f32(y.row(r));
    for (std::uint32_t i = 0; i < x.width; ++i) {
      double sum = 0;
      for (std::uint32_t k = 0; k < x.middle; ++k) sum += f32(x.row(r, k))[i];
      out[i] = static_cast<float>(sum);
    }
  });
}

}  // namespace

extern const OpEntry kRowSum =
    make_entry<ds4_op_row_sum, check_row_sum, run, work_row_sum>(DS4_OP_ROW_SUM);

}  // namespace ds4::reference
