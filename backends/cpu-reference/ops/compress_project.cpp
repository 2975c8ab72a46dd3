/// compress_project: a token's values and scores for pooling (model.md 3.8); contract in ds4/ops.h.
#include "common.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

struct Layout {
  float* weights;
  float* offsets;
  Layout(Arena&, Arena& local, const ds4_op_compress_project& op)
      : weights(local.take<float>(width_of(op.u))),
        offsets(local.take<float>(width_of(op.pairs) / 2)) {}
};

void run(Context& c, const ds4_op_compress_project& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes u = Context::bytes(op.u);
  const Bytes pairs = Context::bytes(op.pairs);
  const Bytes ape_rows = Context::bytes(op.ape_rows);
  const std::uint32_t columns = pairs.width / 2;
  const std::int64_t ratio = op.ape->extent[0];
  each_weight_row(c, *op.wkv, 0, columns, at.weights, [&](std::uint64_t o, const float* w) {
    for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
      f32(pairs.row(r))[o] = static_cast<float>(dot(f32(u.row(r)), w, u.width));
    }
  });
  // The score is an f32 value of the model (model.md 3.8: both products are fp32); its offset
  // follows.
  each_weight_row(c, *op.wgate, 0, columns, at.weights, [&](std::uint64_t o, const float* w) {
    for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
      f32(pairs.row(r))[columns + o] = static_cast<float>(dot(f32(u.row(r)), w, u.width));
    }
  });
  c.barrier();
  each_row(c, rows, [&](std::uint32_t r) {
    const std::int32_t row = *i32(ape_rows.row(r));
    if (row < 0 || row >= ratio) return c.bad_index("ape_rows", r, row, ratio);
    const float* offsets = weight_row(*op.ape, static_cast<std::uint32_t>(row), at.offsets);
    float* scores = f32(pairs.row(r)) + columns;
    for (std::uint32_t d = 0; d < columns; ++d) {
      scores[d] = static_cast<float>(double{scores[d]} + offsets[d]);
    }
  });
}

}  // namespace

extern const OpEntry kCompressProject =
    make_entry_with<ds4_op_compress_project, Layout, check_compress_project, run,
                    work_compress_project>(DS4_OP_COMPRESS_PROJECT);

}  // namespace ds4::reference
