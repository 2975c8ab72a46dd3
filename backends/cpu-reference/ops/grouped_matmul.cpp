/// grouped_matmul: y[i, k] = w[g] x[i, k'] with g from ids or g = k; contract in ds4/ops.h.
#include "common.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

struct Layout {
  float* weights;
  Layout(Arena&, Arena& local, const ds4_op_grouped_matmul& op)
      : weights(local.take<float>(width_of(op.x))) {}
};

void run(Context& c, const ds4_op_grouped_matmul& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const ds4_weight& weight = *op.weight;
  const Bytes x = Context::bytes(op.x);
  const Bytes ids = Context::bytes(op.ids);
  const Bytes y = Context::bytes(op.y);
  const std::uint32_t groups = weight.extent[0];
  const std::uint32_t out = weight.extent[1];
  const auto group_of = [&](std::uint32_t r, std::uint32_t k) {
    return ids.base != nullptr ? i32(ids.row(r))[k] : static_cast<std::int32_t>(k);
  };
  const sdk::Part part = c.share(out);
  for (std::uint32_t k = 0; k < y.middle; ++k) {
    const std::uint32_t from = x.middle == 1 ? 0 : k;
    for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
      const std::int32_t g = group_of(r, k);
      if (g < -1 || g >= std::int64_t{groups}) {
        c.bad_index("ids", r, g, groups);
        continue;
      }
      // A row whose group was seen in this column before has been done along with it.
      bool is_done = false;
      for (std::uint32_t s = rows.first; s < r && !is_done; ++s) is_done = group_of(s, k) == g;
      if (is_done) continue;
      for (std::uint64_t o = part.begin; o < part.end; ++o) {
        const float* w =
            g < 0 ? nullptr
                  : weight_row(weight, static_cast<std::uint64_t>(g) * out + o, at.weights);
        for (std::uint32_t s = r; s < rows.end(); ++s) {
          if (group_of(s, k) != g) continue;
          f32(y.row(s, k))[o] =
              g < 0 ? 0.0F : static_cast<float>(dot(f32(x.row(s, from)), w, x.width));
        }
      }
    }
  }
}

}  // namespace

extern const OpEntry kGroupedMatmul =
    make_entry_with<ds4_op_grouped_matmul, Layout, check_grouped_matmul, run, work_grouped_matmul>(
        DS4_OP_GROUPED_MATMUL);

}  // namespace ds4::reference
