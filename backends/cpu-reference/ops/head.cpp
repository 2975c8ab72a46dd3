/// head: streams to one vector, its norm and the logits (model.md 3.12); contract in ds4/ops.h.
#include "common.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

struct Layout {
  double* normed;  // shared: [logits rows, width]
  float* weights;
  float* gain;
  float* base;
  float* scale;
  Layout(Arena& shared, Arena& local, const ds4_op_head& op)
      : normed(shared.take<double>(most_rows(op.rows, op.logits), width_of(op.x))),
        weights(local.take<float>(vectors_of(op.x), width_of(op.x))),
        gain(local.take<float>(width_of(op.x))),
        base(local.take<float>(vectors_of(op.x))),
        scale(local.take<float>(1)) {}
};

/// The gated sum of one row's streams, normed with the gain.
void finish_row(const ds4_op_head& op, const Layout& at, const float* streams, std::uint32_t n,
                std::uint32_t width, double* out) noexcept {
  const std::uint64_t flat = std::uint64_t{n} * width;
  const float* base = weight_row(*op.base, 0, at.base);
  const double scale = *weight_row(*op.scale, 0, at.scale);
  const double factor = inverse_rms(streams, flat, op.eps);
  double gates[16];
  for (std::uint32_t s = 0; s < n; ++s) {
    const double mix = dot(streams, weight_row(*op.fn, s, at.weights), flat) * factor;
    gates[s] = logistic(mix * scale + base[s]) + op.hc_eps;
  }
  for (std::uint32_t d = 0; d < width; ++d) {
    double sum = 0;
    for (std::uint32_t s = 0; s < n; ++s) sum += gates[s] * streams[std::uint64_t{s} * width + d];
    out[d] = sum;
  }
  const double norm = inverse_rms(out, width, op.eps);
  const float* gain = weight_row(*op.gain, 0, at.gain);
  for (std::uint32_t d = 0; d < width; ++d) out[d] = gain[d] * (out[d] * norm);
}

void run(Context& c, const ds4_op_head& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes x = Context::bytes(op.x);
  const Bytes ids = Context::bytes(op.ids);
  const Bytes logits = Context::bytes(op.logits);
  const auto normed = [&](std::uint32_t r) {
    return at.normed + std::uint64_t{r - rows.first} * x.width;
  };
  const std::int64_t step_rows = op.x.extent[0];
  each_row(c, rows, [&](std::uint32_t r) {
    const std::int32_t id = *i32(ids.row(r));
    if (id < 0 || id >= step_rows) {
      for (std::uint32_t d = 0; d < x.width; ++d) normed(r)[d] = 0;
      return c.bad_index("ids", r, id, step_rows);
    }
    const std::byte* row = x.base + static_cast<std::uint64_t>(id) * x.stride0;
    finish_row(op, at, f32(row), x.middle, x.width, normed(r));
  });
  c.barrier();
  each_weight_row(c, *op.output, 0, logits.width, at.weights, [&](std::uint64_t o, const float* w) {
    for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
      f32(logits.row(r))[o] = static_cast<float>(dot(normed(r), w, x.width));
    }
  });
}

}  // namespace

extern const OpEntry kHead =
    make_entry_with<ds4_op_head, Layout, check_head, run, work_head>(DS4_OP_HEAD);

}  // namespace ds4::reference
