/// compress_project: a token's values and scores for pooling (model.md 3.8); contract in ds4/ops.h.
#include <algorithm>

#include "../kernels/product.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

struct Layout {
  ProductScratch scratch;
  float* offsets;
  Layout(Arena& shared, Arena& local, const ds4_op_compress_project& op)
      : scratch(shared, local, width_of(op.u), most_rows(op.rows, op.pairs)),
        offsets(local.take<float>(width_of(op.pairs) / 2)) {}
};

void run(Context& c, const ds4_op_compress_project& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes u = Context::bytes(op.u);
  const Bytes pairs = Context::bytes(op.pairs);
  const Bytes ape_rows = Context::bytes(op.ape_rows);
  const std::uint32_t columns = pairs.width / 2;
  const std::int64_t ratio = op.ape->extent[0];
  const Operand x =
      make_operand(c, at.scratch, activations_of(u, rows, u.width), {op.wkv, op.wgate});
  const auto put = [&](const ds4_weight& weight, std::uint32_t at_column) {
    each_product(c, weight, 0, columns, x,
                 [&](std::uint64_t o, std::uint32_t n, std::uint32_t i, const float* sums) {
                   std::copy_n(sums, n, f32(pairs.row(rows.first + i)) + at_column + o);
                 });
  };
  put(*op.wkv, 0);
  put(*op.wgate, columns);
  c.barrier();
  each_row(c, rows, [&](std::uint32_t r) {
    const std::int32_t row = *i32(ape_rows.row(r));
    if (row < 0 || row >= ratio) return c.bad_index("ape_rows", r, row, ratio);
    const float* offsets = weight_row(*op.ape, static_cast<std::uint32_t>(row), at.offsets);
    float* scores = f32(pairs.row(r)) + columns;
    for (std::uint32_t d = 0; d < columns; ++d) scores[d] += offsets[d];
  });
}

}  // namespace

extern const OpEntry kCompressProject =
    make_entry_with<ds4_op_compress_project, Layout, check_compress_project, run,
                    work_compress_project>(DS4_OP_COMPRESS_PROJECT);

}  // namespace ds4::fast
