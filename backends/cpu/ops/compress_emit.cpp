/// compress_emit: pools, norms, rotates, rounds and stores finished compressed rows
/// (model.md 3.8, 3.9); contract in ds4/ops.h.
#include "../kernels/pool.hpp"
#include "../kernels/sums.hpp"
#include "../kernels/turns.hpp"
#include "cpu-common/row_codec.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

struct Layout {
  PoolScratch pooling;
  float* row;
  float* gain;
  Turns turns;
  Layout(Arena&, Arena& local, const ds4_op_compress_emit& op)
      : pooling(local, width_of(op.list), width_of(op.pool)),
        row(local.take<float>(width_of(op.pool))),
        gain(local.take<float>(width_of(op.pool))),
        turns(local, op.rope) {}
};

void run(Context& c, const ds4_op_compress_emit& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const PairRows pairs{Context::bytes(op.ring), Context::bytes(op.work)};
  const Bytes list = Context::bytes(op.list);
  const Bytes positions = Context::bytes(op.positions);
  const Bytes ids = Context::bytes(op.ids);
  const Bytes pool = Context::bytes(op.pool);
  const bool overlaps = (op.op.flags & DS4_POOL_OVERLAP) != 0;
  const float* gain = weight_row(*op.gain, 0, at.gain);
  at.turns.begin(op.rope);
  each_row(c, rows, [&](std::uint32_t e) {
    const std::int32_t to = *i32(ids.row(e));
    if (to == -1) return;
    if (to < -1 || std::uint32_t(to) >= pool.entries) {
      return c.bad_index("ids", e, to, pool.entries);
    }
    if (!pool_row(c, e, pairs, i32(list.row(e)), list.width, pool.width, overlaps, at.pooling,
                  at.row)) {
      return;
    }
    scale_by(at.row, inverse_rms(at.row, pool.width, op.eps), gain, at.row, pool.width);
    at.turns.at(op.rope, *i32(positions.row(e)));
    at.turns.rotate(op.rope, at.row, pool.width);
    round_row(op.rounding, at.row, pool.width);
    encode_row(pool.dtype, pool.tail, at.row, pool.width,
               pool.entry(static_cast<std::uint32_t>(to)));
  });
}

}  // namespace

extern const OpEntry kCompressEmit =
    make_entry_with<ds4_op_compress_emit, Layout, check_compress_emit, run, work_compress_emit>(
        DS4_OP_COMPRESS_EMIT);

}  // namespace ds4::fast
