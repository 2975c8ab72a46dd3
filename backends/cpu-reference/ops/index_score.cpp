/// index_score: the lightning indexer's scores of all visible rows (model.md 3.9); contract in
/// ds4/ops.h.
///
/// Phases: the heads' queries (projected, rotated, rounded) and weights by heads; then the scores
/// by entries, each key decoded once.
#include <limits>

#include "cpu-common/row_codec.hpp"
#include "table.hpp"
#include "turns.hpp"

namespace ds4::reference {
namespace {

struct Layout {
  float* queries;   // shared: [rows, heads, dim], rounded
  double* weights;  // shared: [rows, heads]
  float* row;
  float* key;
  Turns turns;
  Layout(Arena& shared, Arena& local, const ds4_op_index_score& op)
      : queries(shared.take<float>(most_rows(op.rows, op.scores), op.heads, op.dim)),
        weights(shared.take<double>(most_rows(op.rows, op.scores), op.heads)),
        row(local.take<float>(width_of(op.qr) > width_of(op.u) ? width_of(op.qr) : width_of(op.u))),
        key(local.take<float>(op.dim)),
        turns(local, op.rope) {}
};

void run(Context& c, const ds4_op_index_score& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes qr = Context::bytes(op.qr);
  const Bytes u = Context::bytes(op.u);
  const Bytes positions = Context::bytes(op.positions);
  const Bytes scores = Context::bytes(op.scores);
  const RowSource keys = Context::source(op.keys);
  const auto query = [&](std::uint32_t r, std::uint64_t h) {
    return at.queries + (std::uint64_t{r - rows.first} * op.heads + h) * op.dim;
  };
  const auto weight = [&](std::uint32_t r, std::uint64_t h) -> double& {
    return at.weights[std::uint64_t{r - rows.first} * op.heads + h];
  };
  at.turns.begin(op.rope);
  const sdk::Part part = c.share(op.heads);
  for (std::uint64_t h = part.begin; h < part.end; ++h) {
    for (std::uint64_t d = 0; d < op.dim; ++d) {
      const float* w = weight_row(*op.wq_b, h * op.dim + d, at.row);
      for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
        query(r, h)[d] = static_cast<float>(dot(f32(qr.row(r)), w, qr.width));
      }
    }
    const float* w = weight_row(*op.proj, h, at.row);
    for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
      if (op.rope.dims != 0) at.turns.at(op.rope, *i32(positions.row(r)));
      at.turns.rotate(op.rope, query(r, h), op.dim);
      round_row(op.rounding, query(r, h), op.dim);
      weight(r, h) = dot(f32(u.row(r)), w, u.width) * op.scale;
    }
  }
  c.barrier();

  for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
    float* out = f32(scores.row(r));
    const std::int64_t seen = keys.size(r);
    if (seen < 0 || seen > std::int64_t{scores.width}) {
      c.bad_index("keys.count", r, seen, scores.width);
      continue;
    }
    const sdk::Part columns = c.share(scores.width);
    for (std::uint64_t e = columns.begin; e < columns.end; ++e) {
      if (static_cast<std::int64_t>(e) >= seen) {
        out[e] = -std::numeric_limits<float>::infinity();
        continue;
      }
      const sdk::SourceEntry entry = keys.at(r, static_cast<std::uint32_t>(e));
      if (entry.row < 0) {
        c.bad_index("keys", r, entry.value, keys.rows.entries);
        break;
      }
      decode_row(keys.rows.dtype, keys.rows.tail,
                 keys.rows.entry(static_cast<std::uint32_t>(entry.row)), op.dim, at.key);
      double score = 0;
      for (std::uint32_t h = 0; h < op.heads; ++h) {
        const double product = dot(query(r, h), at.key, op.dim);
        score += weight(r, h) * (product < 0 ? 0 : product);
      }
      out[e] = static_cast<float>(score);
    }
  }
}

}  // namespace

extern const OpEntry kIndexScore =
    make_entry_with<ds4_op_index_score, Layout, check_index_score, run, work_index_score>(
        DS4_OP_INDEX_SCORE);

}  // namespace ds4::reference
