/// Checks that attention_rows and the fused attention ops have in common.
#pragma once

#include "loops.hpp"

namespace ds4::cpu {

inline constexpr const char* kSourceNames[3] = {"source[0]", "source[1]", "source[2]"};

inline void check_attention(Check& c, const ds4_op_attention& op,
                            std::initializer_list<std::uint32_t> pool_kinds) {
  c.rows(op.q, "q", kF32, {kAny, kAny});
  const std::uint32_t heads = op.q.extent[1];
  const std::uint32_t width = op.q.extent[2];
  c.rows(op.y, "y", kF32, {heads, width}, Check::Use::output);
  if (op.sink != nullptr) c.vector(op.sink, "sink", heads);
  const auto any = {DS4_SOURCE_NONE, DS4_SOURCE_LIST, DS4_SOURCE_RANGE, DS4_SOURCE_PAGES};
  c.source(op.source[0], kSourceNames[0], width, any);
  c.source(op.source[1], kSourceNames[1], width, any);
  c.source(op.source[2], kSourceNames[2], width, pool_kinds);
  c.rope(op.rope, width);
  if (op.rope.dims != 0) c.list(op.positions, "positions");
  c.finite(op.scale, "scale");
}

/// Most entries that a source can give a row: a list's width, or what its storage holds.
inline std::uint64_t most_entries(const ds4_row_source& s) noexcept {
  switch (s.kind) {
    case DS4_SOURCE_LIST:
      return width_of(s.list);
    case DS4_SOURCE_RANGE:
      return s.wrap != 0 ? s.wrap
                         : sdk::sat_mul(s.rows.extent[0], s.rows.rank == 3 ? s.rows.extent[1] : 1);
    case DS4_SOURCE_PAGES:
      return sdk::sat_mul(width_of(s.table), s.page_rows);
    default:
      return 0;
  }
}

inline std::uint64_t attention_work(const ds4_op_attention& op, std::uint64_t rows) {
  // What a row sees is known from memory alone; a quarter of the most is a fair guess.
  std::uint64_t entries = 0;
  for (const ds4_row_source& s : op.source) entries = sdk::sat_add(entries, most_entries(s));
  return sdk::sat_mul(elementwise_work(rows, op.q), entries / 4 + 1);
}

}  // namespace ds4::cpu
