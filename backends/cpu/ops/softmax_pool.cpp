/// softmax_pool: per column a softmax over the entries of a row; contract in ds4/ops.h.
#include "../kernels/pool.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

struct Layout {
  PoolScratch scratch;
  Layout(Arena&, Arena& local, const ds4_op_softmax_pool& op)
      : scratch(local, width_of(op.list), width_of(op.y)) {}
};

void run(Context& c, const ds4_op_softmax_pool& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const PairRows pairs{Context::bytes(op.ring), Context::bytes(op.work)};
  const Bytes list = Context::bytes(op.list);
  const Bytes y = Context::bytes(op.y);
  const bool overlaps = (op.op.flags & DS4_POOL_OVERLAP) != 0;
  each_row(c, rows, [&](std::uint32_t r) {
    pool_row(c, r, pairs, i32(list.row(r)), list.width, y.width, overlaps, at.scratch,
             f32(y.row(r)));
  });
}

}  // namespace

extern const OpEntry kSoftmaxPool =
    make_entry_with<ds4_op_softmax_pool, Layout, check_softmax_pool, run, work_softmax_pool>(
        DS4_OP_SOFTMAX_POOL);

}  // namespace ds4::fast
