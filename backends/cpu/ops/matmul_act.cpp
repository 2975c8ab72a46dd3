/// matmul_act: queries against stored keys, -inf where there is no key; contract in ds4/ops.h.
#include <limits>

#include "../kernels/sums.hpp"
#include "cpu-common/row_codec.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

struct Layout {
  float* key;
  Layout(Arena&, Arena& local, const ds4_op_matmul_act& op)
      : key(local.take<float>(width_of(op.q))) {}
};

void run(Context& c, const ds4_op_matmul_act& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes q = Context::bytes(op.q);
  const Bytes y = Context::bytes(op.y);
  const RowSource keys = Context::source(op.keys);
  // One item is one column: its key is decoded once for all heads.
  each_vector(c, rows, y.width, [&](std::uint32_t r, std::uint32_t e) {
    const std::int64_t seen = keys.size(r);
    if (seen < 0 || seen > std::int64_t{y.width}) {
      if (e == 0) c.bad_index("keys.count", r, seen, y.width);
      return;
    }
    sdk::SourceEntry entry;
    if (e < seen) entry = keys.at(r, e);
    if (entry.row == sdk::SourceEntry::kOutside) {
      return c.bad_index("keys", r, entry.value, keys.rows.entries);
    }
    const bool is_there = entry.row >= 0;
    if (is_there) {
      decode_row(keys.rows.dtype, keys.rows.tail,
                 keys.rows.entry(static_cast<std::uint32_t>(entry.row)), q.width, at.key);
    }
    for (std::uint32_t h = 0; h < q.middle; ++h) {
      f32(y.row(r, h))[e] = is_there ? dot(f32(q.row(r, h)), at.key, q.width)
                                     : -std::numeric_limits<float>::infinity();
    }
  });
}

}  // namespace

extern const OpEntry kMatmulAct =
    make_entry_with<ds4_op_matmul_act, Layout, check_matmul_act, run, work_matmul_act>(
        DS4_OP_MATMUL_ACT);

}  // namespace ds4::fast
