/// Attention over stored rows that are key and value (model.md 3.10).
///
/// The visible rows of a step row are decoded once into thread scratch, in order (ring, workspace,
/// pool); each head takes its logits, its softmax and its sum, and is rotated back by the row's
/// position. A thread's share is a run of (row, head), so few rows share out their heads.
#pragma once

#include <algorithm>

#include "cpu-common/attention_check.hpp"
#include "cpu-common/dequant.hpp"
#include "cpu-common/row_codec.hpp"
#include "softmax.hpp"
#include "sums.hpp"
#include "turns.hpp"

namespace ds4::fast {

struct AttentionLayout {
  std::uint64_t most = 0;
  float* sink;
  float* entries;
  float* weights;
  Turns turns;

  static std::uint64_t count(const ds4_op_attention& op) noexcept {
    std::uint64_t n = 0;
    for (const ds4_row_source& s : op.source) n = sdk::sat_add(n, cpu::most_entries(s));
    return n;
  }

  AttentionLayout(cpu::Arena&, cpu::Arena& local, const ds4_op_attention& op)
      : most(count(op)),
        sink(local.take<float>(cpu::vectors_of(op.q))),
        entries(local.take<float>(most, cpu::width_of(op.q))),
        weights(local.take<float>(most)),
        turns(local, op.rope) {}
};

/// Decodes what row r sees, in order; the number of rows, or -1 when an index is wrong.
inline std::int64_t collect(cpu::Context& c, const cpu::RowSource (&sources)[3],
                            const ds4_op_attention& op, std::uint32_t r, float* entries) noexcept {
  std::int64_t found = 0;
  for (int s = 0; s < 3; ++s) {
    const cpu::RowSource& source = sources[s];
    const std::int64_t n = source.size(r);
    const std::uint64_t most = cpu::most_entries(op.source[s]);
    if (n < 0 || static_cast<std::uint64_t>(n) > most) {
      c.bad_index(cpu::kSourceNames[s], r, n, static_cast<std::int64_t>(most));
      return -1;
    }
    const std::uint32_t width = source.rows.width;
    for (std::uint32_t e = 0; e < n; ++e) {
      const sdk::SourceEntry entry = source.at(r, e);
      if (entry.row == sdk::SourceEntry::kLeftOut) continue;
      if (entry.row < 0) {
        c.bad_index(cpu::kSourceNames[s], r, entry.value, source.rows.entries);
        return -1;
      }
      cpu::decode_row(source.rows.dtype, source.rows.tail,
                      source.rows.entry(static_cast<std::uint32_t>(entry.row)), width,
                      entries + static_cast<std::uint64_t>(found++) * width);
    }
  }
  return found;
}

/// One head over `n` decoded rows.
inline void attend(const AttentionLayout& at, const ds4_op_attention& op, const float* query,
                   const float* sink, std::uint64_t n, std::uint32_t width, float* out) noexcept {
  for (std::uint64_t e = 0; e < n; ++e) at.weights[e] = dot(query, at.entries + e * width, width);
  const float total = weigh(at.weights, n, static_cast<float>(op.scale), sink, at.weights);
  std::fill_n(out, width, 0.0F);
  for (std::uint64_t e = 0; e < n; ++e) {
    add_scaled(out, at.weights[e], at.entries + e * width, width);
  }
  for (std::uint32_t d = 0; d < width; ++d) out[d] = total == 0 ? 0 : out[d] / total;
  at.turns.rotate(op.rope, out, width);
}

inline void run_attention(cpu::Context& c, const ds4_op_attention& op, const sdk::RowRange& rows) {
  const AttentionLayout at(c.shared, c.local, op);
  const cpu::Bytes q = cpu::Context::bytes(op.q);
  const cpu::Bytes y = cpu::Context::bytes(op.y);
  const cpu::Bytes positions = cpu::Context::bytes(op.positions);
  const cpu::RowSource sources[3] = {cpu::Context::source(op.source[0]),
                                     cpu::Context::source(op.source[1]),
                                     cpu::Context::source(op.source[2])};
  const float* sink = op.sink != nullptr ? cpu::weight_row(*op.sink, 0, at.sink) : nullptr;
  at.turns.begin(op.rope);
  std::int64_t found = -1;
  std::uint32_t current = rows.first - 1;
  cpu::each_vector(c, rows, q.middle, [&](std::uint32_t r, std::uint32_t h) {
    if (r != current) {
      current = r;
      found = collect(c, sources, op, r, at.entries);
      if (op.rope.dims != 0) at.turns.at(op.rope, *cpu::i32(positions.row(r)));
    }
    if (found < 0) return;
    attend(at, op, cpu::f32(q.row(r, h)), sink != nullptr ? sink + h : nullptr,
           static_cast<std::uint64_t>(found), q.width, cpu::f32(y.row(r, h)));
  });
}

}  // namespace ds4::fast
