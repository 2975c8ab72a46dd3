/// The fused attention ops of model.md 3.10: one step row at a time, all heads together.
///
/// The visible rows of a step row are decoded once into thread scratch, in order (ring, workspace,
/// pool). Each head then takes its logits, its softmax in double and its sum, and is rotated back
/// by the row's position before it is rounded to f32. When a step has fewer rows than threads, the
/// heads of a row are shared out instead and every thread decodes the rows for itself.
#pragma once

#include <algorithm>
#include <limits>

#include "common.hpp"
#include "cpu-common/row_codec.hpp"
#include "turns.hpp"

namespace ds4::reference {

struct AttentionLayout {
  std::uint64_t most = 0;
  float* sink;
  float* entries;
  double* weights;
  double* sum;
  Turns turns;

  static std::uint64_t count(const ds4_op_attention& op) noexcept {
    std::uint64_t n = 0;
    for (const ds4_row_source& s : op.source) n = sdk::sat_add(n, most_entries(s));
    return n;
  }

  AttentionLayout(Arena&, Arena& local, const ds4_op_attention& op)
      : most(count(op)),
        sink(local.take<float>(vectors_of(op.q))),
        entries(local.take<float>(most, width_of(op.q))),
        weights(local.take<double>(most)),
        sum(local.take<double>(width_of(op.q))),
        turns(local, op.rope) {}
};

/// Decodes what row r sees, in order; the number of rows, or -1 when an index is wrong.
inline std::int64_t collect(Context& c, const RowSource (&sources)[3], const ds4_op_attention& op,
                            std::uint32_t r, float* entries) noexcept {
  std::int64_t found = 0;
  for (int s = 0; s < 3; ++s) {
    const RowSource& source = sources[s];
    const std::int64_t n = source.size(r);
    const std::uint64_t most = most_entries(op.source[s]);
    if (n < 0 || static_cast<std::uint64_t>(n) > most) {
      c.bad_index(kSourceNames[s], r, n, static_cast<std::int64_t>(most));
      return -1;
    }
    for (std::uint32_t e = 0; e < n; ++e) {
      const sdk::SourceEntry entry = source.at(r, e);
      if (entry.row == sdk::SourceEntry::kLeftOut) continue;
      if (entry.row < 0) {
        c.bad_index(kSourceNames[s], r, entry.value, source.rows.entries);
        return -1;
      }
      const std::uint32_t width = source.rows.width;
      decode_row(source.rows.dtype, source.rows.tail,
                 source.rows.entry(static_cast<std::uint32_t>(entry.row)), width,
                 entries + static_cast<std::uint64_t>(found++) * width);
    }
  }
  return found;
}

/// One head over `n` decoded rows.
inline void attend(const AttentionLayout& at, const ds4_op_attention& op, const float* query,
                   const float* sink, std::uint64_t n, std::uint32_t width, float* out) noexcept {
  double maximum = sink != nullptr ? *sink : -std::numeric_limits<double>::infinity();
  for (std::uint64_t e = 0; e < n; ++e) {
    at.weights[e] = dot(query, at.entries + e * width, width) * op.scale;
    maximum = at.weights[e] > maximum ? at.weights[e] : maximum;
  }
  const bool is_empty = maximum == -std::numeric_limits<double>::infinity();
  const double shift = is_empty ? 0 : maximum;
  double total = sink != nullptr ? std::exp(*sink - shift) : 0;
  std::fill_n(at.sum, width, 0.0);
  for (std::uint64_t e = 0; e < n; ++e) {
    const double weight = std::exp(at.weights[e] - shift);
    const float* row = at.entries + e * width;
    total += weight;
    for (std::uint32_t d = 0; d < width; ++d) at.sum[d] += weight * row[d];
  }
  for (std::uint32_t d = 0; d < width; ++d) at.sum[d] = total == 0 ? 0 : at.sum[d] / total;
  at.turns.rotate(op.rope, at.sum, width);
  for (std::uint32_t d = 0; d < width; ++d) out[d] = static_cast<float>(at.sum[d]);
}

inline void run_attention(Context& c, const ds4_op_attention& op, const sdk::RowRange& rows) {
  const AttentionLayout at(c.shared, c.local, op);
  const Bytes q = Context::bytes(op.q);
  const Bytes y = Context::bytes(op.y);
  const Bytes positions = Context::bytes(op.positions);
  const RowSource sources[3] = {Context::source(op.source[0]), Context::source(op.source[1]),
                                Context::source(op.source[2])};
  const float* sink = op.sink != nullptr ? weight_row(*op.sink, 0, at.sink) : nullptr;
  at.turns.begin(op.rope);
  std::int64_t found = -1;
  std::uint32_t current = rows.first - 1;
  each_vector(c, rows, q.middle, [&](std::uint32_t r, std::uint32_t h) {
    if (r != current) {
      current = r;
      found = collect(c, sources, op, r, at.entries);
      if (op.rope.dims != 0) at.turns.at(op.rope, *i32(positions.row(r)));
    }
    if (found < 0) return;
    attend(at, op, f32(q.row(r, h)), sink != nullptr ? sink + h : nullptr,
           static_cast<std::uint64_t>(found), q.width, f32(y.row(r, h)));
  });
}

}  // namespace ds4::reference
