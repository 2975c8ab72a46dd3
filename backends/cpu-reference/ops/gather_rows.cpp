/// gather_rows: y[i] = table[ids[i]], decoded; contract in ds4/ops.h.
#include <algorithm>

#include "../row_codec.hpp"
#include "common.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

void check(Check& c, const ds4_op_gather_rows& op) {
  c.list(op.ids, "ids");
  c.rows(op.y, "y", kF32 | kI32, {kAny}, Check::Use::output);
  const std::uint32_t width = op.y.extent[1];
  const bool is_i32 = op.y.dtype == DS4_DTYPE_I32;
  if (op.weight != nullptr) {
    if (op.weight->rank == 1) {
      c.weight(op.weight, "weight", {width}, is_i32);
    } else {
      c.weight(op.weight, "weight", {kAny, width}, is_i32);
    }
  } else if (c.asking() == Asking::enqueue || c.has(op.x)) {
    c.row_list(op.x, "x", is_i32 ? kI32 : kRowTypes, width);
  }
  c.require(!is_i32 || (op.fill >= -2147483648.0 && op.fill <= 2147483647.0), "fill is beyond I32");
}

void run(Context& c, const ds4_op_gather_rows& op, const sdk::RowRange& rows) {
  const Bytes x = Context::bytes(op.x);
  const Bytes ids = Context::bytes(op.ids);
  const Bytes y = Context::bytes(op.y);
  const bool is_i32 = op.y.dtype == DS4_DTYPE_I32;
  const std::int64_t entries =
      op.weight != nullptr ? static_cast<std::int64_t>(op.weight->rows()) : x.entries;
  each_row(c, rows, [&](std::uint32_t r) {
    const std::int32_t id = *i32(ids.row(r));
    if (id < -1 || id >= entries) return c.bad_index("ids", r, id, entries);
    std::byte* out = y.row(r);
    if (id == -1) {
      if (is_i32) {
        std::fill_n(i32(out), y.width, static_cast<std::int32_t>(op.fill));
      } else {
        std::fill_n(f32(out), y.width, static_cast<float>(op.fill));
      }
      return;
    }
    const auto entry = static_cast<std::uint32_t>(id);
    const std::byte* in = op.weight != nullptr ? op.weight->row(entry) : x.entry(entry);
    if (is_i32) {
      std::memcpy(out, in, std::uint64_t{y.width} * 4);
    } else if (op.weight != nullptr) {
      dequantise(op.weight->dtype, in, y.width, f32(out));
    } else {
      decode_row(x.dtype, x.tail, in, y.width, f32(out));
    }
  });
}

std::uint64_t work(const ds4_op_gather_rows& op, std::uint64_t rows) {
  return elementwise_work(rows, op.y);
}

}  // namespace

extern const OpEntry kGatherRows =
    make_entry<ds4_op_gather_rows, check, run, work>(DS4_OP_GATHER_ROWS);

}  // namespace ds4::reference
