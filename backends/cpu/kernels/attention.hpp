/// Attention over stored rows that are key and value (model.md 3.10).
///
/// What a row of the step sees is looked up once, in order (ring, workspace, pool), and then taken
/// in tiles: each tile is decoded once for all heads of a thread, with a running maximum and sum
/// for each head. A thread's share is a run of (row, heads of a block), so few rows share out their
/// heads and many rows are decoded by one thread each; no thread waits for another.
#pragma once

#include <algorithm>
#include <limits>

#include "attention_tile.hpp"
#include "cpu-common/attention_check.hpp"
#include "cpu-common/dequant.hpp"
#include "softmax.hpp"
#include "stored_rows.hpp"
#include "turns.hpp"

namespace ds4::fast {

/// A stored row that a row of the step sees, and which source it belongs to.
struct SeenRow {
  const std::byte* bytes;
  std::uint32_t source;
};

struct AttentionLayout {
  float* sink;
  SeenRow* seen;
  float* tile;
  float* weights;        ///< [heads, kTileEntries]
  float* factors;        ///< [heads]
  RunningMaximum* runs;  ///< [heads]
  const float** queries;
  float** outs;
  Turns turns;

  static std::uint64_t count(const ds4_op_attention& op) noexcept {
    std::uint64_t n = 0;
    for (const ds4_row_source& s : op.source) n = sdk::sat_add(n, cpu::most_entries(s));
    return n;
  }

  AttentionLayout(cpu::Arena&, cpu::Arena& local, const ds4_op_attention& op)
      : sink(local.take<float>(cpu::vectors_of(op.q))),
        seen(local.take<SeenRow>(count(op))),
        tile(local.take<float>(kTileEntries, tile_stride(cpu::width_of(op.q)))),
        weights(local.take<float>(cpu::vectors_of(op.q), kTileEntries)),
        factors(local.take<float>(cpu::vectors_of(op.q))),
        runs(local.take<RunningMaximum>(cpu::vectors_of(op.q))),
        queries(local.take<const float*>(cpu::vectors_of(op.q))),
        outs(local.take<float*>(cpu::vectors_of(op.q))),
        turns(local, op.rope) {}
};

/// Lists what row r sees, in order; the number of rows, or -1 when an index is wrong.
inline std::int64_t look_up(cpu::Context& c, const cpu::RowSource (&sources)[3],
                            const ds4_op_attention& op, std::uint32_t r, SeenRow* seen) noexcept {
  std::int64_t found = 0;
  for (std::uint32_t s = 0; s < 3; ++s) {
    const cpu::RowSource& source = sources[s];
    const std::int64_t n = source.size(r);
    const std::uint64_t most = cpu::most_entries(op.source[s]);
    if (n < 0 || static_cast<std::uint64_t>(n) > most) {
      c.bad_index(cpu::kSourceNames[s], r, n, static_cast<std::int64_t>(most));
      return -1;
    }
    for (std::uint32_t e = 0; e < n; ++e) {
      const sdk::SourceEntry entry = source.at(r, e);
      if (entry.row == sdk::SourceEntry::kLeftOut) continue;
      if (entry.row < 0) {
        c.bad_index(cpu::kSourceNames[s], r, entry.value, source.rows.entries);
        return -1;
      }
      seen[found++] = {source.rows.entry(static_cast<std::uint32_t>(entry.row)), s};
    }
  }
  return found;
}

/// Some heads of one row of the step over `found` rows: at.queries and at.outs, `heads` of them.
inline void attend(const AttentionLayout& at, const cpu::RowSource (&sources)[3],
                   std::uint64_t found, std::uint32_t width, float scale, const float* sink,
                   std::uint32_t heads) noexcept {
  for (std::uint32_t h = 0; h < heads; ++h) {
    at.runs[h] = RunningMaximum::of(sink != nullptr ? sink + h : nullptr);
    std::fill_n(at.outs[h], width, 0.0F);
  }
  const std::uint64_t stride = tile_stride(width);
  for (std::uint64_t begin = 0; begin < found; begin += kTileEntries) {
    const EntryTile tile{
        at.tile, stride,
        static_cast<std::uint32_t>(std::min<std::uint64_t>(kTileEntries, found - begin)), width};
    for (std::uint32_t e = 0; e < tile.count; ++e) {
      const SeenRow& row = at.seen[begin + e];
      const auto& rows = sources[row.source].rows;
      decode_stored_row(rows.dtype, rows.tail, row.bytes, width, at.tile + e * stride);
    }
    logits(at.queries, heads, tile, at.weights);
    for (std::uint32_t h = 0; h < heads; ++h) {
      at.factors[h] = at.runs[h].weigh(at.weights + h * kTileEntries, tile.count, scale);
    }
    values(at.weights, at.factors, heads, tile, at.outs);
  }
  for (std::uint32_t h = 0; h < heads; ++h) {
    float* out = at.outs[h];
    const float total = at.runs[h].total;
    if (total == 0) continue;
    each_lanes(width, [&](auto get, auto put) { put(out, get(out) / all(total)); });
  }
}

inline void run_attention(cpu::Context& c, const ds4_op_attention& op, const sdk::RowRange& rows) {
  const AttentionLayout at(c.shared, c.local, op);
  const cpu::Bytes q = cpu::Context::bytes(op.q);
  const cpu::Bytes y = cpu::Context::bytes(op.y);
  const cpu::Bytes positions = cpu::Context::bytes(op.positions);
  const cpu::RowSource sources[3] = {cpu::Context::source(op.source[0]),
                                     cpu::Context::source(op.source[1]),
                                     cpu::Context::source(op.source[2])};
  const std::uint32_t blocks = (q.middle + kBlockHeads - 1) / kBlockHeads;
  const sdk::Part part = c.share(std::uint64_t{rows.count} * blocks);
  if (part.begin == part.end) return;
  const float* sink = op.sink != nullptr ? cpu::weight_row(*op.sink, 0, at.sink) : nullptr;
  at.turns.begin(op.rope);
  for (std::uint64_t i = part.begin; i < part.end;) {
    const std::uint32_t r = rows.first + static_cast<std::uint32_t>(i / blocks);
    const std::uint64_t first_block = i % blocks;
    const std::uint64_t taken = std::min(part.end - i, blocks - first_block);
    i += taken;
    const std::int64_t found = look_up(c, sources, op, r, at.seen);
    if (found < 0) continue;
    const auto first = static_cast<std::uint32_t>(first_block) * kBlockHeads;
    const auto end =
        std::min(q.middle, static_cast<std::uint32_t>(first_block + taken) * kBlockHeads);
    for (std::uint32_t h = first; h < end; ++h) {
      at.queries[h - first] = cpu::f32(q.row(r, h));
      at.outs[h - first] = cpu::f32(y.row(r, h));
    }
    attend(at, sources, static_cast<std::uint64_t>(found), q.width, static_cast<float>(op.scale),
           sink != nullptr ? sink + first : nullptr, end - first);
    if (op.rope.dims == 0) continue;
    at.turns.at(op.rope, *cpu::i32(positions.row(r)));
    for (std::uint32_t h = 0; h < end - first; ++h) at.turns.rotate(op.rope, at.outs[h], q.width);
  }
}

}  // namespace ds4::fast
