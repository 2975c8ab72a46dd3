/// embed_streams: a token's embedding in every stream; contract in ds4/ops.h.
#include <algorithm>

#include "common.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

void check(Check& c, const ds4_op_embed_streams& op) {
  c.list(op.tokens, "tokens");
  c.rows(op.x, "x", kF32, {kAny, kAny}, Check::Use::output);
  c.weight(op.weight, "weight", {kAny, op.x.extent[2]});
}

void run(Context& c, const ds4_op_embed_streams& op, const sdk::RowRange& rows) {
  const Bytes tokens = Context::bytes(op.tokens);
  const Bytes x = Context::bytes(op.x);
  const std::int64_t vocabulary = op.weight->extent[0];
  each_row(c, rows, [&](std::uint32_t r) {
    const std::int32_t token = *i32(tokens.row(r));
    if (token < 0 || token >= vocabulary) return c.bad_index("tokens", r, token, vocabulary);
    if (x.middle == 0) return;
    float* first = f32(x.row(r, 0));
    dequantise(op.weight->dtype, op.weight->row(static_cast<std::uint32_t>(token)), x.width, first);
    for (std::uint32_t s = 1; s < x.middle; ++s) std::copy_n(first, x.width, f32(x.row(r, s)));
  });
}

std::uint64_t work(const ds4_op_embed_streams& op, std::uint64_t rows) {
  return elementwise_work(rows, op.x);
}

}  // namespace

extern const OpEntry kEmbedStreams =
    make_entry<ds4_op_embed_streams, check, run, work>(DS4_OP_EMBED_STREAMS);

}  // namespace ds4::reference
