/// head: streams to one vector, its norm and the logits (model.md 3.12); contract in ds4/ops.h.
#include <algorithm>

#include "../kernels/product.hpp"
#include "../kernels/sums.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

struct Layout {
  float* normed;  ///< shared: [logits rows, width]
  ProductScratch scratch;
  float* row;
  float* gain;
  float* base;
  float* scale;
  Layout(Arena& shared, Arena& local, const ds4_op_head& op)
      : normed(shared.take<float>(most_rows(op.rows, op.logits), width_of(op.x))),
        scratch(shared, local, width_of(op.x), most_rows(op.rows, op.logits)),
        row(local.take<float>(vectors_of(op.x), width_of(op.x))),
        gain(local.take<float>(width_of(op.x))),
        base(local.take<float>(vectors_of(op.x))),
        scale(local.take<float>(1)) {}
};

/// The gated sum of one row's streams, normed with the gain.
void finish_row(const ds4_op_head& op, const Layout& at, const float* streams, std::uint32_t n,
                std::uint32_t width, float* out) noexcept {
  const std::uint64_t flat = std::uint64_t{n} * width;
  const float* base = weight_row(*op.base, 0, at.base);
  const double scale = double{*weight_row(*op.scale, 0, at.scale)};
  const double factor = double{inverse_rms(streams, flat, op.eps)};
  std::fill_n(out, width, 0.0F);
  for (std::uint32_t s = 0; s < n; ++s) {
    const double mix = double{dot(streams, weight_row(*op.fn, s, at.row), flat)} * factor;
    const double gate = logistic(mix * scale + double{base[s]}) + op.hc_eps;
    add_scaled(out, static_cast<float>(gate), streams + std::uint64_t{s} * width, width);
  }
  const float* gain = weight_row(*op.gain, 0, at.gain);
  scale_by(out, inverse_rms(out, width, op.eps), gain, out, width);
}

void run(Context& c, const ds4_op_head& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes x = Context::bytes(op.x);
  const Bytes ids = Context::bytes(op.ids);
  const Bytes logits = Context::bytes(op.logits);
  const std::int64_t step_rows = op.x.extent[0];
  each_row(c, rows, [&](std::uint32_t r) {
    const std::int32_t id = *i32(ids.row(r));
    float* out = at.normed + std::uint64_t{r - rows.first} * x.width;
    if (id < 0 || id >= step_rows) {
      std::fill_n(out, x.width, 0.0F);
      return c.bad_index("ids", r, id, step_rows);
    }
    const std::byte* row = x.base + static_cast<std::uint64_t>(id) * x.stride0;
    finish_row(op, at, f32(row), x.middle, x.width, out);
  });
  c.barrier();
  const Operand operand =
      make_operand(c, at.scratch, contiguous(at.normed, rows.count, x.width), {op.output});
  each_product(c, *op.output, 0, logits.width, operand,
               [&](std::uint64_t o, std::uint32_t n, std::uint32_t i, const float* sums) {
                 std::copy_n(sums, n, f32(logits.row(rows.first + i)) + o);
               });
}

}  // namespace

extern const OpEntry kHead =
    make_entry_with<ds4_op_head, Layout, check_head, run, work_head>(DS4_OP_HEAD);

}  // namespace ds4::fast
