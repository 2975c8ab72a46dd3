/// row_sum: y[i, c] = sum over k ascending of x[i, k, c]; contract in ds4/ops.h.
#include "common.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

void check(Check& c, const ds4_op_row_sum& op) {
  c.rows(op.x, "x", kF32, {kAny, kAny});
  c.rows(op.y, "y", kF32, {op.x.extent[2]}, Check::Use::output);
}

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

std::uint64_t work(const ds4_op_row_sum& op, std::uint64_t rows) {
  return elementwise_work(rows, op.x);
}

}  // namespace

extern const OpEntry kRowSum = make_entry<ds4_op_row_sum, check, run, work>(DS4_OP_ROW_SUM);

}  // namespace ds4::reference
