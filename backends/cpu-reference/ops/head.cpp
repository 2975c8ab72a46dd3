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

void check(Check& c, const ds4_op_head& op) {
  c.table(op.x, "x", kF32, {kAny, kAny, kAny});
  c.contiguous_rows(op.x, "x");
  const std::uint32_t n = op.x.extent[1];
  const std::uint32_t width = op.x.extent[2];
  c.require(n >= 1 && n <= 16, "x: ", n, " streams are outside 1..16");
  c.require(width != 0 && width <= 0xffffffffu / n, "x: width ", width, " is out of range");
  c.list(op.ids, "ids");
  c.rows(op.logits, "logits", kF32, {kAny}, Check::Use::output);
  c.weight(op.fn, "fn", {n, n * width});
  c.vector(op.scale, "scale", 1);
  c.vector(op.base, "base", n);
  c.vector(op.gain, "gain", width);
  c.weight(op.output, "output", {op.logits.extent[1], width});
}

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

std::uint64_t work(const ds4_op_head& op, std::uint64_t rows) {
  const std::uint64_t n = vectors_of(op.x);
  return sdk::sat_mul(sdk::sat_mul(rows, width_of(op.x)), sdk::sat_add(width_of(op.logits), n * n));
}

}  // namespace

extern const OpEntry kHead = make_entry_with<ds4_op_head, Layout, check, run, work>(DS4_OP_HEAD);

}  // namespace ds4::reference
