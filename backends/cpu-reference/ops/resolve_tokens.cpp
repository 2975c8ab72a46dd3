/// resolve_tokens: ids that the previous step chose take their places; contract in ds4/ops.h.
#include "common.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

void check(Check& c, const ds4_op_resolve_tokens& op) {
  c.list(op.tokens, "tokens");
  if (c.has(op.sampled)) c.table(op.sampled, "sampled", kI32, {kAny});
  c.list(op.y, "y", Check::Use::in_place);
}

void run(Context& c, const ds4_op_resolve_tokens& op, const sdk::RowRange& rows) {
  const Bytes tokens = Context::bytes(op.tokens);
  const Bytes sampled = Context::bytes(op.sampled);
  const Bytes y = Context::bytes(op.y);
  each_row(c, rows, [&](std::uint32_t r) {
    const std::int32_t token = *i32(tokens.row(r));
    if (token >= 0) {
      *i32(y.row(r)) = token;
      return;
    }
    const std::int64_t k = -1 - std::int64_t{token};
    if (k >= std::int64_t{sampled.entries}) return c.bad_index("tokens", r, token, sampled.entries);
    *i32(y.row(r)) = *i32(sampled.entry(static_cast<std::uint32_t>(k)));
  });
}

std::uint64_t work(const ds4_op_resolve_tokens&, std::uint64_t rows) {
  return rows;
}

}  // namespace

extern const OpEntry kResolveTokens =
    make_entry<ds4_op_resolve_tokens, check, run, work>(DS4_OP_RESOLVE_TOKENS);

}  // namespace ds4::reference
