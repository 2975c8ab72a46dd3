/// hc_pre: the streams' gates, their sum and its norm (model.md 3.2); contract in ds4/ops.h.
#include <algorithm>

#include "../isa/bytes.hpp"
#include "../kernels/gates.hpp"
#include "../kernels/product.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

/// Phase 1 shares out the rows of fn, phase 2 the rows of the step. The projection runs over the
/// streams as they are; the norm's factor is multiplied in afterwards, which is the same number.
struct Layout {
  float* mixes;  ///< shared: [rows, mixes]
  ProductScratch scratch;
  float* gain;
  float* scale;
  float* base;
  Layout(Arena& shared, Arena& local, const ds4_op_hc_pre& op)
      : mixes(shared.take<float>(most_rows(op.rows, op.x), mixes_of(op))),
        scratch(shared, local, sdk::sat_mul(op.x.extent[1], op.x.extent[2]),
                most_rows(op.rows, op.x)),
        gain(local.take<float>(op.x.extent[2])),
        scale(local.take<float>(3)),
        base(local.take<float>(mixes_of(op))) {}
};

/// Halves times f32: the order of dot() in sums.hpp. n is a multiple of 64.
float dot_halves(const std::byte* halves, const float* x, std::uint64_t n) noexcept {
  F32 s[4] = {zero(), zero(), zero(), zero()};
  for (std::uint64_t i = 0; i < n; i += 4 * kLanes) {
    for (std::uint32_t j = 0; j < 4; ++j) {
      const std::uint64_t at = i + j * kLanes;
      s[j] = fma(load_halves(halves + 2 * at), load(x + at), s[j]);
    }
  }
  return sum((s[0] + s[1]) + (s[2] + s[3]));
}

/// The projection of the streams. Its rows are few and no whole tiles: halves are read as they are
/// and shared out one by one.
void project(Context& c, const ds4_op_hc_pre& op, const Layout& at, const Bytes& x,
             const sdk::RowRange& rows) noexcept {
  const std::uint32_t flat = x.middle * x.width;
  const std::uint32_t mixes = mixes_of(op);
  if (op.fn->layout != nullptr || op.fn->dtype != DS4_DTYPE_F16 || flat % (4 * kLanes) != 0) {
    const Operand streams = make_operand(c, at.scratch, activations_of(x, rows, flat), {op.fn});
    product(c, *op.fn, 0, mixes, streams, at.mixes, mixes);
    return;
  }
  const sdk::Part part = c.share(mixes);
  for (std::uint32_t r = 0; r < rows.count; ++r) {
    for (std::uint64_t i = part.begin; i < part.end; ++i) {
      at.mixes[std::uint64_t{r} * mixes + i] =
          dot_halves(op.fn->row(i), f32(x.row(rows.first + r)), flat);
    }
  }
}

void run(Context& c, const ds4_op_hc_pre& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes x = Context::bytes(op.x);
  const Bytes y = Context::bytes(op.y);
  const Bytes post = Context::bytes(op.post);
  const Bytes comb = Context::bytes(op.comb);
  const std::uint32_t n = x.middle;
  const std::uint32_t flat = n * x.width;
  const std::uint32_t mixes = mixes_of(op);
  project(c, op, at, x, rows);
  c.barrier();

  const float* gain = weight_row(*op.gain, 0, at.gain);
  const Gates gates{weight_row(*op.scale, 0, at.scale), weight_row(*op.base, 0, at.base), n,
                    op.iterations, op.hc_eps};
  each_row(c, rows, [&](std::uint32_t r) {
    float pre[kMostStreams];
    gates.split(at.mixes + std::uint64_t{r - rows.first} * mixes,
                double{inverse_rms(f32(x.row(r)), flat, op.eps)}, pre, f32(post.row(r)), comb, r);
    float* out = f32(y.row(r));
    std::fill_n(out, x.width, 0.0F);
    for (std::uint32_t s = 0; s < n; ++s) add_scaled(out, pre[s], f32(x.row(r, s)), x.width);
    scale_by(out, inverse_rms(out, x.width, op.eps), gain, out, x.width);
  });
}

}  // namespace

extern const OpEntry kHcPre =
    make_entry_with<ds4_op_hc_pre, Layout, check_hc_pre, run, work_hc_pre>(DS4_OP_HC_PRE);

}  // namespace ds4::fast
