/// softmax_pool: per column a softmax over the entries of a row; contract in ds4/ops.h.
#include <limits>

#include "common.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

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

}  // namespace

extern const OpEntry kSoftmaxPool =
    make_entry<ds4_op_softmax_pool, check_softmax_pool, run, work_softmax_pool>(
        DS4_OP_SOFTMAX_POOL);

}  // namespace ds4::reference
