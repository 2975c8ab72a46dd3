/// page_rows: entries of a session's own list become rows of the pool; contract in ds4/ops.h.
#include "common.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

void check(Check& c, const ds4_op_page_rows& op) {
  c.rows(op.ids, "ids", kI32, {kAny});
  c.list(op.slot, "slot");
  c.table(op.table, "table", kI32, {kAny, kAny});
  c.rows(op.physical, "physical", kI32, {op.ids.extent[1]}, Check::Use::in_place);
  c.require(op.page_rows != 0, "page_rows is 0");
}

void run(Context& c, const ds4_op_page_rows& op, const sdk::RowRange& rows) {
  const Bytes ids = Context::bytes(op.ids);
  const Bytes slot = Context::bytes(op.slot);
  const Bytes table = Context::bytes(op.table);
  const Bytes physical = Context::bytes(op.physical);
  each_row(c, rows, [&](std::uint32_t r) {
    const std::int32_t s = *i32(slot.row(r));
    const std::int32_t* in = i32(ids.row(r));
    std::int32_t* out = i32(physical.row(r));
    for (std::uint32_t k = 0; k < ids.width; ++k) {
      const std::int32_t id = in[k];
      if (id == -1) {
        out[k] = -1;
        continue;
      }
      const std::uint32_t page = static_cast<std::uint32_t>(id) / op.page_rows;
      if (s < 0 || std::uint32_t(s) >= table.entries) {
        return c.bad_index("slot", r, s, table.entries);
      }
      if (id < 0 || page >= table.width) {
        return c.bad_index("ids", r, id, std::int64_t{table.width} * op.page_rows);
      }
      const std::int64_t row =
          std::int64_t{i32(table.entry(static_cast<std::uint32_t>(s)))[page]} * op.page_rows +
          static_cast<std::uint32_t>(id) % op.page_rows;
      if (row < 0 || row > 0x7fffffff) return c.bad_index("table", r, row, 0x7fffffff);
      out[k] = static_cast<std::int32_t>(row);
    }
  });
}

std::uint64_t work(const ds4_op_page_rows& op, std::uint64_t rows) {
  return elementwise_work(rows, op.ids);
}

}  // namespace

extern const OpEntry kPageRows = make_entry<ds4_op_page_rows, check, run, work>(DS4_OP_PAGE_ROWS);

}  // namespace ds4::reference
