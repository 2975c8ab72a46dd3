/// attention_rows: the slow, obvious attention over explicit rows; contract in ds4/ops.h.
///
/// One item is one head of one row. It walks the entries twice: once for the maximum, once for the
/// sums, and decodes every row where it meets it.
#include <algorithm>
#include <limits>

#include "common.hpp"
#include "cpu-common/row_codec.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

constexpr double kNone = -std::numeric_limits<double>::infinity();

struct Layout {
  float* sink;
  float* row;
  double* sum;
  Layout(Arena&, Arena& local, const ds4_op_attention& op)
      : sink(local.take<float>(vectors_of(op.q))),
        row(local.take<float>(width_of(op.q))),
        sum(local.take<double>(width_of(op.q))) {}
};

/// Calls body(decoded row) for each entry in order; false when an index is wrong.
template <class Body>
bool each_entry(Context& c, const RowSource (&sources)[3], const ds4_op_attention& op,
                std::uint32_t r, float* buffer, Body&& body) {
  for (int s = 0; s < 3; ++s) {
    const RowSource& source = sources[s];
    const std::int64_t n = source.size(r);
    const std::uint64_t most = most_entries(op.source[s]);
    if (n < 0 || static_cast<std::uint64_t>(n) > most) {
      c.bad_index(kSourceNames[s], r, n, static_cast<std::int64_t>(most));
      return false;
    }
    for (std::uint32_t e = 0; e < n; ++e) {
      const sdk::SourceEntry entry = source.at(r, e);
      if (entry.row == sdk::SourceEntry::kLeftOut) continue;
      if (entry.row == sdk::SourceEntry::kOutside) {
        c.bad_index(kSourceNames[s], r, entry.value, source.rows.entries);
        return false;
      }
      decode_row(source.rows.dtype, source.rows.tail,
                 source.rows.entry(static_cast<std::uint32_t>(entry.row)), source.rows.width,
                 buffer);
      body(buffer);
    }
  }
  return true;
}

void run(Context& c, const ds4_op_attention& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes q = Context::bytes(op.q);
  const Bytes y = Context::bytes(op.y);
  const RowSource sources[3] = {Context::source(op.source[0]), Context::source(op.source[1]),
                                Context::source(op.source[2])};
  const float* sink = op.sink != nullptr ? weight_row(*op.sink, 0, at.sink) : nullptr;
  each_vector(c, rows, q.middle, [&](std::uint32_t r, std::uint32_t h) {
    const float* query = f32(q.row(r, h));
    const auto logit = [&](const float* row) { return dot(query, row, q.width) * op.scale; };
    double maximum = sink != nullptr ? sink[h] : kNone;
    const bool is_sound = each_entry(c, sources, op, r, at.row, [&](const float* row) {
      const double l = logit(row);
      if (l > maximum) maximum = l;
    });
    if (!is_sound) return;
    const double shift = maximum == kNone ? 0 : maximum;
    double total = sink != nullptr ? std::exp(sink[h] - shift) : 0;
    std::fill_n(at.sum, q.width, 0.0);
    each_entry(c, sources, op, r, at.row, [&](const float* row) {
      const double weight = std::exp(logit(row) - shift);
      total += weight;
      for (std::uint32_t d = 0; d < q.width; ++d) at.sum[d] += weight * row[d];
    });
    float* out = f32(y.row(r, h));
    for (std::uint32_t d = 0; d < q.width; ++d) {
      out[d] = static_cast<float>(total == 0 ? 0.0 : at.sum[d] / total);
    }
  });
}

}  // namespace

extern const OpEntry kAttentionRows =
    make_entry_with<ds4_op_attention, Layout, check_attention_rows, run, attention_work>(
        DS4_OP_ATTENTION_ROWS);

}  // namespace ds4::reference
