/// scatter_rows: y[ids[i]] = x[i], encoded; contract in ds4/ops.h.
#include "../row_codec.hpp"
#include "common.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

void check(Check& c, const ds4_op_scatter_rows& op) {
  c.rows(op.x, "x", kF32, {kAny});
  c.list(op.ids, "ids");
  c.row_list(op.y, "y", kRowTypes, op.x.extent[1], Check::Use::output);
}

void run(Context& c, const ds4_op_scatter_rows& op, const sdk::RowRange& rows) {
  const Bytes x = Context::bytes(op.x);
  const Bytes ids = Context::bytes(op.ids);
  const Bytes y = Context::bytes(op.y);
  each_row(c, rows, [&](std::uint32_t r) {
    const std::int32_t id = *i32(ids.row(r));
    if (id == -1) return;
    if (id < -1 || std::uint32_t(id) >= y.entries) return c.bad_index("ids", r, id, y.entries);
    encode_row(y.dtype, y.tail, f32(x.row(r)), x.width, y.entry(static_cast<std::uint32_t>(id)));
  });
}

std::uint64_t work(const ds4_op_scatter_rows& op, std::uint64_t rows) {
  return elementwise_work(rows, op.x);
}

}  // namespace

extern const OpEntry kScatterRows =
    make_entry<ds4_op_scatter_rows, check, run, work>(DS4_OP_SCATTER_ROWS);

}  // namespace ds4::reference
