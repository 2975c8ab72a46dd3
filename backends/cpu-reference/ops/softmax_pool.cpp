/// softmax_pool: per column a softmax over the entries of a row; contract in ds4/ops.h.
#include <limits>

#include "pair_rows.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

void check(Check& c, const ds4_op_softmax_pool& op) {
  c.rows(op.y, "y", kF32, {kAny}, Check::Use::output);
  check_pairs(c, op.ring, op.work, op.list, op.op.flags, op.y.extent[1]);
}

void run(Context& c, const ds4_op_softmax_pool& op, const sdk::RowRange& rows) {
  const PairRows pairs{Context::bytes(op.ring), Context::bytes(op.work)};
  const Bytes list = Context::bytes(op.list);
  const Bytes y = Context::bytes(op.y);
  const bool overlaps = (op.op.flags & DS4_POOL_OVERLAP) != 0;
  const std::uint64_t columns = std::uint64_t{y.width} * (overlaps ? 2 : 1);
  constexpr double kNone = -std::numeric_limits<double>::infinity();
  each_row(c, rows, [&](std::uint32_t r) {
    const std::int32_t* ids = i32(list.row(r));
    for (std::uint32_t e = 0; e < list.width; ++e) {
      if (ids[e] != -1 && pairs.at(ids[e]) == nullptr) {
        return c.bad_index("list", r, ids[e], pairs.size());
      }
    }
    float* out = f32(y.row(r));
    for (std::uint32_t d = 0; d < y.width; ++d) {
      const auto column = [&](std::uint32_t e) {
        return overlaps && e >= list.width / 2 ? std::uint64_t{y.width} + d : d;
      };
      double maximum = kNone;
      for (std::uint32_t e = 0; e < list.width; ++e) {
        if (ids[e] == -1) continue;
        const double score = pairs.at(ids[e])[columns + column(e)];
        if (score > maximum) maximum = score;
      }
      const double shift = maximum == kNone ? 0 : maximum;
      double sum = 0;
      double value = 0;
      for (std::uint32_t e = 0; e < list.width; ++e) {
        if (ids[e] == -1) continue;
        const float* pair = pairs.at(ids[e]);
        const double weight = std::exp(pair[columns + column(e)] - shift);
        sum += weight;
        value += weight * pair[column(e)];
      }
      out[d] = static_cast<float>(sum == 0 ? 0.0 : value / sum);
    }
  });
}

std::uint64_t work(const ds4_op_softmax_pool& op, std::uint64_t rows) {
  return sdk::sat_mul(elementwise_work(rows, op.y), sdk::sat_mul(16, width_of(op.list)));
}

}  // namespace

extern const OpEntry kSoftmaxPool =
    make_entry<ds4_op_softmax_pool, check, run, work>(DS4_OP_SOFTMAX_POOL);

}  // namespace ds4::reference
