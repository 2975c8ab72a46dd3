/// hc_pre: the streams' gates, their sum and its norm (model.md 3.2); contract in ds4/ops.h.
///
/// Phase 1 shares out the rows of fn, phase 2 the rows of the step. The projection runs over the
/// streams as they are; the norm's factor is multiplied in afterwards, which is the same number.
#include "sinkhorn.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

struct Layout {
  double* mixes;  // shared: [rows, mixes]
  float* weights;
  float* gain;
  float* scale;
  float* base;
  double* matrix;
  double* sum;
  Layout(Arena& shared, Arena& local, const ds4_op_hc_pre& op)
      : mixes(shared.take<double>(most_rows(op.rows, op.x), mixes_of(op))),
        weights(local.take<float>(op.x.extent[1], op.x.extent[2])),
        gain(local.take<float>(op.x.extent[2])),
        scale(local.take<float>(3)),
        base(local.take<float>(mixes_of(op))),
        matrix(local.take<double>(mixes_of(op))),
        sum(local.take<double>(op.x.extent[2])) {}
};

void run(Context& c, const ds4_op_hc_pre& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes x = Context::bytes(op.x);
  const Bytes y = Context::bytes(op.y);
  const Bytes post = Context::bytes(op.post);
  const Bytes comb = Context::bytes(op.comb);
  const std::uint32_t n = x.middle;
  const std::uint64_t flat = std::uint64_t{n} * x.width;
  const std::uint32_t mixes = mixes_of(op);
  const auto mix_row = [&](std::uint32_t r) {
    return at.mixes + std::uint64_t{r - rows.first} * mixes;
  };
  each_weight_row(c, *op.fn, 0, mixes, at.weights, [&](std::uint64_t m, const float* w) {
    for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
      mix_row(r)[m] = dot(f32(x.row(r)), w, flat);
    }
  });
  c.barrier();

  const float* gain = weight_row(*op.gain, 0, at.gain);
  const float* scale = weight_row(*op.scale, 0, at.scale);
  const float* base = weight_row(*op.base, 0, at.base);
  each_row(c, rows, [&](std::uint32_t r) {
    const double factor = inverse_rms(f32(x.row(r)), flat, op.eps);
    const double* raw = mix_row(r);
    const auto mixed = [&](std::uint32_t i, std::uint32_t group) {
      return raw[i] * factor * scale[group] + base[i];
    };
    for (std::uint32_t i = 0; i < n * n; ++i) at.matrix[i] = mixed(2 * n + i, 2);
    sinkhorn(at.matrix, n, op.iterations, op.hc_eps);
    for (std::uint32_t i = 0; i < n * n; ++i) {
      f32(comb.row(r, i / n))[i % n] = static_cast<float>(at.matrix[i]);
    }
    double pre[16];
    for (std::uint32_t s = 0; s < n; ++s) {
      pre[s] = logistic(mixed(s, 0)) + op.hc_eps;
      f32(post.row(r))[s] = static_cast<float>(2 * logistic(mixed(n + s, 1)));
    }
    for (std::uint32_t d = 0; d < x.width; ++d) {
      double sum = 0;
      for (std::uint32_t s = 0; s < n; ++s) sum += pre[s] * f32(x.row(r, s))[d];
      at.sum[d] = sum;
    }
    const double norm = inverse_rms(at.sum, x.width, op.eps);
    float* out = f32(y.row(r));
    for (std::uint32_t d = 0; d < x.width; ++d) {
      out[d] = static_cast<float>(gain[d] * (at.sum[d] * norm));
    }
  });
}

}  // namespace

extern const OpEntry kHcPre =
    make_entry_with<ds4_op_hc_pre, Layout, check_hc_pre, run, work_hc_pre>(DS4_OP_HC_PRE);

}  // namespace ds4::reference
