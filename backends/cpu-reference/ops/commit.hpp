/// The two commits: rows of the step go to their ring rows once the layer has read the ring.
#pragma once

#include "../row_codec.hpp"
#include "common.hpp"

namespace ds4::reference {

inline void check_commit(Check& c, const ds4_op_commit& op) {
  c.rows(op.x, "x", kF32, {kAny});
  c.list(op.ids, "ids");
  c.row_list(op.y, "ring", kF32 | kKvRow, op.x.extent[1], Check::Use::output);
}

inline void run_commit(Context& c, const ds4_op_commit& op, const sdk::RowRange& rows) {
  const Bytes from = Context::bytes(op.x);
  const Bytes ring = Context::bytes(op.y);
  const Bytes ids = Context::bytes(op.ids);
  const sdk::Part part = c.share(rows.count);
  for (std::uint64_t i = part.begin; i < part.end; ++i) {
    const std::uint32_t r = rows.first + static_cast<std::uint32_t>(i);
    const std::int64_t to = *i32(ids.row(r));
    if (to >= 0 && to < std::int64_t{ring.entries}) {
      encode_row(ring.dtype, ring.tail, f32(from.row(r)), from.width,
                 ring.entry(static_cast<std::uint32_t>(to)));
    } else if (to != -1) {
      c.bad_index("ids", r, to, ring.entries);
    }
  }
}

inline std::uint64_t commit_work(const ds4_op_commit& op, std::uint64_t rows) {
  return elementwise_work(rows, op.x);
}

}  // namespace ds4::reference
