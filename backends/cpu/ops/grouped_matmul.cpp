/// grouped_matmul: y[i, k] = w[g] x[i, k'] with g from ids or g = k; contract in ds4/ops.h.
#include <algorithm>

#include "../kernels/groups.hpp"
#include "../kernels/product.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

struct Layout {
  ProductScratch scratch;
  Groups groups;
  Layout(Arena& shared, Arena& local, const ds4_op_grouped_matmul& op)
      : scratch(shared, local, width_of(op.x),
                sdk::sat_mul(most_rows(op.rows, op.y), vectors_of(op.x))),
        groups(local, sdk::sat_mul(most_rows(op.rows, op.y), vectors_of(op.y)),
               op.weight != nullptr ? op.weight->extent[0] : 0) {}
};

void run(Context& c, const ds4_op_grouped_matmul& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const ds4_weight& weight = *op.weight;
  const Bytes x = Context::bytes(op.x);
  const Bytes ids = Context::bytes(op.ids);
  const Bytes y = Context::bytes(op.y);
  const std::uint32_t k = y.middle;
  const std::uint32_t groups = weight.extent[0];
  const std::uint64_t out = weight.extent[1];
  at.groups.sort(rows.count * k, groups, [&](std::uint32_t slot) {
    const std::uint32_t r = rows.first + slot / k;
    const std::int64_t id =
        ids.base != nullptr ? i32(ids.row(r))[slot % k] : std::int64_t{slot % k};
    if (id < -1 || id >= std::int64_t{groups}) c.bad_index("ids", r, id, groups);
    return id;
  });
  // Vectors of x are counted like the slots, or one for all slots of a row.
  Activations vectors = parts_of(x, rows, k, x.width);
  vectors.vector_stride = x.middle == 1 ? 0 : x.stride1;
  const Operand operand = make_operand(c, at.scratch, vectors, {op.weight});
  for (std::uint32_t slot = 0; slot < rows.count * k; ++slot) {
    if (at.groups.has_group(slot)) continue;
    const sdk::Part part = c.share(out);
    float* to = f32(y.row(rows.first + slot / k, slot % k));
    std::fill(to + part.begin, to + part.end, 0.0F);
  }
  for (std::uint32_t g = 0; g < groups; ++g) {
    each_product_of(c, weight, g * out, out, operand, at.groups.members(g),
                    [&](std::uint64_t o, std::uint32_t n, std::uint32_t slot, const float* sums) {
                      std::copy_n(sums, n, f32(y.row(rows.first + slot / k, slot % k)) + o);
                    });
  }
}

}  // namespace

extern const OpEntry kGroupedMatmul =
    make_entry_with<ds4_op_grouped_matmul, Layout, check_grouped_matmul, run, work_grouped_matmul>(
        DS4_OP_GROUPED_MATMUL);

}  // namespace ds4::fast
