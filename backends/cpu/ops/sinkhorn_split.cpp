/// sinkhorn_split: mixes to the gates and the matrix of a hyper-connection; contract in ds4/ops.h.
#include "../kernels/gates.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

struct Layout {
  float* scale;
  float* base;
  Layout(Arena&, Arena& local, const ds4_op_sinkhorn_split& op)
      : scale(local.take<float>(3)), base(local.take<float>(width_of(op.mixes))) {}
};

void run(Context& c, const ds4_op_sinkhorn_split& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes mixes = Context::bytes(op.mixes);
  const Bytes pre = Context::bytes(op.pre);
  const Bytes post = Context::bytes(op.post);
  const Bytes comb = Context::bytes(op.comb);
  const Gates gates{weight_row(*op.scale, 0, at.scale), weight_row(*op.base, 0, at.base), pre.width,
                    op.iterations, op.eps};
  each_row(c, rows, [&](std::uint32_t r) {
    gates.split(f32(mixes.row(r)), 1.0F, f32(pre.row(r)), f32(post.row(r)), comb, r);
  });
}

}  // namespace

extern const OpEntry kSinkhornSplit =
    make_entry_with<ds4_op_sinkhorn_split, Layout, check_sinkhorn_split, run, work_sinkhorn_split>(
        DS4_OP_SINKHORN_SPLIT);

}  // namespace ds4::fast
