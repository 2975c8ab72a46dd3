/// take_columns: y[i, k] = x[i, ids[i, k]]; contract in ds4/ops.h.
#include "common.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

void check(Check& c, const ds4_op_take_columns& op) {
  c.rows(op.x, "x", kF32, {kAny});
  c.rows(op.ids, "ids", kI32, {kAny});
  c.rows(op.y, "y", kF32, {op.ids.extent[1]}, Check::Use::output);
}

void run(Context& c, const ds4_op_take_columns& op, const sdk::RowRange& rows) {
  const Bytes x = Context::bytes(op.x);
  const Bytes ids = Context::bytes(op.ids);
  const Bytes y = Context::bytes(op.y);
  each_row(c, rows, [&](std::uint32_t r) {
    const std::int32_t* columns = i32(ids.row(r));
    float* out = f32(y.row(r));
    for (std::uint32_t k = 0; k < ids.width; ++k) {
      const std::int32_t id = columns[k];
      if (id < -1 || id >= std::int64_t{x.width}) return c.bad_index("ids", r, id, x.width);
      out[k] = id < 0 ? 0.0F : f32(x.row(r))[id];
    }
  });
}

std::uint64_t work(const ds4_op_take_columns& op, std::uint64_t rows) {
  return elementwise_work(rows, op.ids);
}

}  // namespace

extern const OpEntry kTakeColumns =
    make_entry<ds4_op_take_columns, check, run, work>(DS4_OP_TAKE_COLUMNS);

}  // namespace ds4::reference
