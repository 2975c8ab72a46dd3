#include "plan/lowering/compositions.hpp"

namespace ds4::lowering {

Result<void> attn_out(const ds4_op_attn_out& op, LoweringSink& sink) {
  Composer to(op.op, op.rows, op.y, sink);
  DS4_CHECK(to.need_rank("o", op.o, 3));
  const auto flat = flatten_rows(op.o);
  DS4_CHECK(to.need(flat.has_value(), "o: the heads of a row must lie side by side"));
  const auto grouped = split_rows(*flat, op.groups);
  DS4_CHECK(to.need(grouped.has_value() && op.rank != 0,
                    "groups must divide heads * head_dim, and rank must not be 0"));
  const ds4_view low = to.scratch(DS4_DTYPE_F32, op.groups, op.rank);
  to.grouped_matmul(op.wo_a, *grouped, {}, low);
  to.matmul(op.wo_b, *flatten_rows(low), op.y);
  return {};
}

}  // namespace ds4::lowering
