/// hc_post: a sublayer's output and the mixed streams (model.md 3.3); contract in ds4/ops.h.
#include "common.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

void check(Check& c, const ds4_op_hc_post& op) {
  c.rows(op.x, "x", kF32, {kAny, kAny});
  const std::uint32_t n = op.x.extent[1];
  const std::uint32_t width = op.x.extent[2];
  c.rows(op.out, "out", kF32, {width});
  c.rows(op.post, "post", kF32, {n});
  c.rows(op.comb, "comb", kF32, {n, n});
  c.rows(op.y, "y", kF32, {n, width}, Check::Use::output);
  c.require(op.y.buffer == nullptr || op.y.buffer != op.x.buffer || op.y.offset != op.x.offset,
            "y is x, the sum reads every stream of x");
}

void run(Context& c, const ds4_op_hc_post& op, const sdk::RowRange& rows) {
  const Bytes x = Context::bytes(op.x);
  const Bytes out = Context::bytes(op.out);
  const Bytes post = Context::bytes(op.post);
  const Bytes comb = Context::bytes(op.comb);
  const Bytes y = Context::bytes(op.y);
  each_vector(c, rows, x.middle, [&](std::uint32_t r, std::uint32_t k) {
    const double gate = f32(post.row(r))[k];
    const float* from = f32(out.row(r));
    float* to = f32(y.row(r, k));
    for (std::uint32_t d = 0; d < x.width; ++d) {
      double sum = gate * from[d];
      // comb is (source, destination): stream k collects its column.
      for (std::uint32_t j = 0; j < x.middle; ++j) {
        sum += double{f32(comb.row(r, j))[k]} * f32(x.row(r, j))[d];
      }
      to[d] = static_cast<float>(sum);
    }
  });
}

std::uint64_t work(const ds4_op_hc_post& op, std::uint64_t rows) {
  return sdk::sat_mul(elementwise_work(rows, op.x), vectors_of(op.x));
}

}  // namespace

extern const OpEntry kHcPost = make_entry<ds4_op_hc_post, check, run, work>(DS4_OP_HC_POST);

}  // namespace ds4::reference
