#include "plan/lowering/compositions.hpp"

namespace ds4::lowering {

Result<void> attn_indexed(const ds4_op_attention& op, LoweringSink& sink) {
  Composer to(op.op, op.rows, op.y, sink);
  const std::uint32_t pool = op.source[2].kind;
  DS4_CHECK(to.need(pool == DS4_SOURCE_LIST, "the third source must be LIST"));
  return attention(op, to);
}

}  // namespace ds4::lowering
