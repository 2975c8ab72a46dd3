#include "contracts.hpp"

namespace ds4::cpu {

void check_copy_cast(Check& c, const ds4_op_copy_cast& op) {
  c.rows(op.x, "x", kRowTypes | kI32, {kAny});
  c.rows(op.y, "y", kRowTypes | kI32, {op.x.extent[1]}, Check::Use::output);
  c.require((op.x.dtype == DS4_DTYPE_I32) == (op.y.dtype == DS4_DTYPE_I32),
            "y: I32 converts to and from nothing else");
}

std::uint64_t work_copy_cast(const ds4_op_copy_cast& op, std::uint64_t rows) {
  return elementwise_work(rows, op.x);
}

void check_fill(Check& c, const ds4_op_fill& op) {
  c.rows(op.y, "y", kF32 | kI32, {kAny}, Check::Use::output);
  if (op.y.dtype == DS4_DTYPE_I32) {
    c.require(op.value >= -2147483648.0 && op.value <= 2147483647.0, "value is beyond I32");
  }
}

std::uint64_t work_fill(const ds4_op_fill& op, std::uint64_t rows) {
  return elementwise_work(rows, op.y);
}

void check_gather_rows(Check& c, const ds4_op_gather_rows& op) {
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

std::uint64_t work_gather_rows(const ds4_op_gather_rows& op, std::uint64_t rows) {
  return elementwise_work(rows, op.y);
}

void check_scatter_rows(Check& c, const ds4_op_scatter_rows& op) {
  c.rows(op.x, "x", kF32, {kAny});
  c.list(op.ids, "ids");
  c.row_list(op.y, "y", kRowTypes, op.x.extent[1], Check::Use::output);
}

std::uint64_t work_scatter_rows(const ds4_op_scatter_rows& op, std::uint64_t rows) {
  return elementwise_work(rows, op.x);
}

void check_page_rows(Check& c, const ds4_op_page_rows& op) {
  c.rows(op.ids, "ids", kI32, {kAny});
  c.list(op.slot, "slot");
  c.table(op.table, "table", kI32, {kAny, kAny});
  c.rows(op.physical, "physical", kI32, {op.ids.extent[1]}, Check::Use::in_place);
  c.require(op.page_rows != 0, "page_rows is 0");
}

std::uint64_t work_page_rows(const ds4_op_page_rows& op, std::uint64_t rows) {
  return elementwise_work(rows, op.ids);
}

void check_resolve_tokens(Check& c, const ds4_op_resolve_tokens& op) {
  c.list(op.tokens, "tokens");
  if (c.has(op.sampled)) c.table(op.sampled, "sampled", kI32, {kAny});
  c.list(op.y, "y", Check::Use::in_place);
}

std::uint64_t work_resolve_tokens(const ds4_op_resolve_tokens&, std::uint64_t rows) {
  return rows;
}

void check_take_columns(Check& c, const ds4_op_take_columns& op) {
  c.rows(op.x, "x", kF32, {kAny});
  c.rows(op.ids, "ids", kI32, {kAny});
  c.rows(op.y, "y", kF32, {op.ids.extent[1]}, Check::Use::output);
}

std::uint64_t work_take_columns(const ds4_op_take_columns& op, std::uint64_t rows) {
  return elementwise_work(rows, op.ids);
}

void check_embed_streams(Check& c, const ds4_op_embed_streams& op) {
  c.list(op.tokens, "tokens");
  c.rows(op.x, "x", kF32, {kAny, kAny}, Check::Use::output);
  c.weight(op.weight, "weight", {kAny, op.x.extent[2]});
}

std::uint64_t work_embed_streams(const ds4_op_embed_streams& op, std::uint64_t rows) {
  return elementwise_work(rows, op.x);
}

void check_commit(Check& c, const ds4_op_commit& op) {
  c.rows(op.x, "x", kF32, {kAny});
  c.list(op.ids, "ids");
  c.row_list(op.y, "ring", kF32 | kKvRow, op.x.extent[1], Check::Use::output);
}

std::uint64_t work_commit(const ds4_op_commit& op, std::uint64_t rows) {
  return elementwise_work(rows, op.x);
}

}  // namespace ds4::cpu
