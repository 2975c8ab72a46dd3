/// copy_cast: y = x, converted between row dtypes; contract in ds4/ops.h.
#include "../row_codec.hpp"
#include "common.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

struct Layout {
  float* row;
  Layout(Arena&, Arena& local, const ds4_op_copy_cast& op)
      : row(local.take<float>(width_of(op.x))) {}
};

void check(Check& c, const ds4_op_copy_cast& op) {
  c.rows(op.x, "x", kRowTypes | kI32, {kAny});
  c.rows(op.y, "y", kRowTypes | kI32, {op.x.extent[1]}, Check::Use::output);
  c.require((op.x.dtype == DS4_DTYPE_I32) == (op.y.dtype == DS4_DTYPE_I32),
            "y: I32 converts to and from nothing else");
}

void run(Context& c, const ds4_op_copy_cast& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes x = Context::bytes(op.x);
  const Bytes y = Context::bytes(op.y);
  each_row(c, rows, [&](std::uint32_t r) {
    if (op.x.dtype == op.y.dtype && op.x.row_tail == op.y.row_tail) {
      std::memcpy(y.row(r), x.row(r), sdk::row_bytes(x.dtype, x.width, x.tail));
      return;
    }
    decode_row(x.dtype, x.tail, x.row(r), x.width, at.row);
    encode_row(y.dtype, y.tail, at.row, y.width, y.row(r));
  });
}

std::uint64_t work(const ds4_op_copy_cast& op, std::uint64_t rows) {
  return elementwise_work(rows, op.x);
}

}  // namespace

extern const OpEntry kCopyCast =
    make_entry_with<ds4_op_copy_cast, Layout, check, run, work>(DS4_OP_COPY_CAST);

}  // namespace ds4::reference
