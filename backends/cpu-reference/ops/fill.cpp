/// fill: y = value; contract in ds4/ops.h.
#include <algorithm>
#include <cmath>

#include "common.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

void check(Check& c, const ds4_op_fill& op) {
  c.rows(op.y, "y", kF32 | kI32, {kAny}, Check::Use::output);
  if (op.y.dtype == DS4_DTYPE_I32) {
    c.require(op.value >= -2147483648.0 && op.value <= 2147483647.0, "value is beyond I32");
  }
}

void run(Context& c, const ds4_op_fill& op, const sdk::RowRange& rows) {
  const Bytes y = Context::bytes(op.y);
  each_row(c, rows, [&](std::uint32_t r) {
    if (op.y.dtype == DS4_DTYPE_I32) {
      std::fill_n(i32(y.row(r)), y.width, static_cast<std::int32_t>(op.value));
    } else {
      std::fill_n(f32(y.row(r)), y.width, static_cast<float>(op.value));
    }
  });
}

std::uint64_t work(const ds4_op_fill& op, std::uint64_t rows) {
  return elementwise_work(rows, op.y);
}

}  // namespace

extern const OpEntry kFill = make_entry<ds4_op_fill, check, run, work>(DS4_OP_FILL);

}  // namespace ds4::reference
