/// sinkhorn_split: mixes to the gates and the matrix of a hyper-connection; contract in ds4/ops.h.
#include "sinkhorn.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

struct Layout {
  float* scale;
  float* base;
  double* matrix;
  Layout(Arena&, Arena& local, const ds4_op_sinkhorn_split& op)
      : scale(local.take<float>(3)),
        base(local.take<float>(width_of(op.mixes))),
        matrix(local.take<double>(width_of(op.pre), width_of(op.pre))) {}
};

void run(Context& c, const ds4_op_sinkhorn_split& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes mixes = Context::bytes(op.mixes);
  const Bytes pre = Context::bytes(op.pre);
  const Bytes post = Context::bytes(op.post);
  const Bytes comb = Context::bytes(op.comb);
  const float* scale = weight_row(*op.scale, 0, at.scale);
  const float* base = weight_row(*op.base, 0, at.base);
  const std::uint32_t n = pre.width;
  each_row(c, rows, [&](std::uint32_t r) {
    const float* m = f32(mixes.row(r));
    const auto mixed = [&](std::uint32_t i, std::uint32_t group) {
      return double{m[i]} * scale[group] + base[i];
    };
    for (std::uint32_t s = 0; s < n; ++s) {
      f32(pre.row(r))[s] = static_cast<float>(logistic(mixed(s, 0)) + op.eps);
      f32(post.row(r))[s] = static_cast<float>(2 * logistic(mixed(n + s, 1)));
    }
    for (std::uint32_t i = 0; i < n * n; ++i) at.matrix[i] = mixed(2 * n + i, 2);
    sinkhorn(at.matrix, n, op.iterations, op.eps);
    for (std::uint32_t i = 0; i < n * n; ++i) {
      f32(comb.row(r, i / n))[i % n] = static_cast<float>(at.matrix[i]);
    }
  });
}

}  // namespace

extern const OpEntry kSinkhornSplit =
    make_entry_with<ds4_op_sinkhorn_split, Layout, check_sinkhorn_split, run, work_sinkhorn_split>(
        DS4_OP_SINKHORN_SPLIT);

}  // namespace ds4::reference
