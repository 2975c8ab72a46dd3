/// compress_emit: pools, norms, rotates, rounds and stores finished compressed rows (model.md 3.8,
/// 3.9); contract in ds4/ops.h.
#include <limits>

#include "cpu-common/row_codec.hpp"
#include "table.hpp"
#include "turns.hpp"

namespace ds4::reference {
namespace {

struct Layout {
  double* pooled;
  double* weights;  // of one column
  float* row;
  float* gain;
  Turns turns;
  Layout(Arena&, Arena& local, const ds4_op_compress_emit& op)
      : pooled(local.take<double>(width_of(op.pool))),
        weights(local.take<double>(width_of(op.list))),
        row(local.take<float>(width_of(op.pool))),
        gain(local.take<float>(width_of(op.pool))),
        turns(local, op.rope) {}
};

/// Pools one column of the entries; the half of the columns depends on the entry with OVERLAP.
double pool_column(const PairRows& pairs, const std::int32_t* ids, std::uint32_t span,
                   std::uint32_t width, std::uint32_t d, bool overlaps, double* weights) noexcept {
  const std::uint64_t columns = std::uint64_t{width} * (overlaps ? 2 : 1);
  const auto at = [&](std::uint32_t e) {
    return d + (overlaps && 2 * e >= span ? std::uint64_t{width} : 0);
  };
  double highest = -std::numeric_limits<double>::infinity();
  for (std::uint32_t e = 0; e < span; ++e) {
    weights[e] = ids[e] == -1 ? -std::numeric_limits<double>::infinity()
                              : double{pairs.at(ids[e])[columns + at(e)]};
    highest = weights[e] > highest ? weights[e] : highest;
  }
  if (highest == -std::numeric_limits<double>::infinity()) highest = 0;
  double sum = 0;
  double value = 0;
  for (std::uint32_t e = 0; e < span; ++e) {
    if (ids[e] == -1) continue;
    weights[e] = std::exp(weights[e] - highest);
    sum += weights[e];
    value += weights[e] * pairs.at(ids[e])[at(e)];
  }
  return sum == 0 ? 0 : value / sum;
}

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
    if (to < -1 || std::uint32_t(to) >= pool.entries)
      return c.bad_index("ids", e, to, pool.entries);
    const std::int32_t* entries = i32(list.row(e));
    for (std::uint32_t i = 0; i < list.width; ++i) {
      if (entries[i] != -1 && pairs.at(entries[i]) == nullptr) {
        return c.bad_index("list", e, entries[i], pairs.size());
      }
    }
    for (std::uint32_t d = 0; d < pool.width; ++d) {
      at.pooled[d] = pool_column(pairs, entries, list.width, pool.width, d, overlaps, at.weights);
    }
    const double scale = inverse_rms(at.pooled, pool.width, op.eps);
    for (std::uint32_t d = 0; d < pool.width; ++d) at.pooled[d] = gain[d] * (at.pooled[d] * scale);
    at.turns.at(op.rope, *i32(positions.row(e)));
    at.turns.rotate(op.rope, at.pooled, pool.width);
    for (std::uint32_t d = 0; d < pool.width; ++d) at.row[d] = static_cast<float>(at.pooled[d]);
    round_row(op.rounding, at.row, pool.width);
    encode_row(pool.dtype, pool.tail, at.row, pool.width,
               pool.entry(static_cast<std::uint32_t>(to)));
  });
}

}  // namespace

extern const OpEntry kCompressEmit =
    make_entry_with<ds4_op_compress_emit, Layout, check_compress_emit, run, work_compress_emit>(
        DS4_OP_COMPRESS_EMIT);

}  // namespace ds4::reference
