/// index_score: the lightning indexer's scores of all visible rows (model.md 3.9); contract in
/// ds4/ops.h.
#include <algorithm>

#include "../kernels/product.hpp"
#include "../kernels/sums.hpp"
#include "../kernels/turns.hpp"
#include "cpu-common/row_codec.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

/// Phases: the heads' queries and weights by rows of wq_b and proj; rotation and rounding by
/// (row, head); the scores by entries, each key decoded once.
struct Layout {
  float* queries;  ///< shared: [rows, heads, dim], rounded
  float* weights;  ///< shared: [rows, heads]
  ProductScratch of_qr;
  ProductScratch of_u;
  float* key;
  float* products;
  Turns turns;
  Layout(Arena& shared, Arena& local, const ds4_op_index_score& op)
      : queries(shared.take<float>(most_rows(op.rows, op.scores), op.heads, op.dim)),
        weights(shared.take<float>(most_rows(op.rows, op.scores), op.heads)),
        of_qr(shared, local, width_of(op.qr), most_rows(op.rows, op.scores)),
        of_u(shared, local, width_of(op.u), most_rows(op.rows, op.scores)),
        key(local.take<float>(op.dim)),
        products(local.take<float>(op.heads)),
        turns(local, op.rope) {}
};

void score_row(Context& c, const ds4_op_index_score& op, const Layout& at, const RowSource& keys,
               const Bytes& scores, std::uint32_t r, std::uint32_t first) noexcept {
  const float* queries = at.queries + std::uint64_t{r - first} * op.heads * op.dim;
  const float* weights = at.weights + std::uint64_t{r - first} * op.heads;
  float* out = f32(scores.row(r));
  const std::int64_t seen = keys.size(r);
  if (seen < 0 || seen > std::int64_t{scores.width}) {
    return c.bad_index("keys.count", r, seen, scores.width);
  }
  // Columns beyond the last entry hold no meaning and cost nothing.
  const sdk::Part columns = c.share(static_cast<std::uint64_t>(seen));
  for (std::uint64_t e = columns.begin; e < columns.end; ++e) {
    const sdk::SourceEntry entry = keys.at(r, static_cast<std::uint32_t>(e));
    if (entry.row < 0) return c.bad_index("keys", r, entry.value, keys.rows.entries);
    decode_row(keys.rows.dtype, keys.rows.tail,
               keys.rows.entry(static_cast<std::uint32_t>(entry.row)), op.dim, at.key);
    for (std::uint32_t h = 0; h < op.heads; ++h) {
      const float product = dot(queries + std::uint64_t{h} * op.dim, at.key, op.dim);
      at.products[h] = product < 0 ? 0 : product;
    }
    out[e] = dot(weights, at.products, op.heads);
  }
}

void run(Context& c, const ds4_op_index_score& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes qr = Context::bytes(op.qr);
  const Bytes u = Context::bytes(op.u);
  const Bytes positions = Context::bytes(op.positions);
  const Bytes scores = Context::bytes(op.scores);
  const RowSource keys = Context::source(op.keys);
  const std::uint64_t width = std::uint64_t{op.heads} * op.dim;
  const Operand low = make_operand(c, at.of_qr, activations_of(qr, rows, qr.width), {op.wq_b});
  const Operand hidden = make_operand(c, at.of_u, activations_of(u, rows, u.width), {op.proj});
  product(c, *op.wq_b, 0, width, low, at.queries, width);
  product(c, *op.proj, 0, op.heads, hidden, at.weights, op.heads);
  c.barrier();

  at.turns.begin(op.rope);
  std::uint32_t current = rows.first - 1;
  each_vector(c, rows, op.heads, [&](std::uint32_t r, std::uint32_t h) {
    const std::uint64_t i = std::uint64_t{r - rows.first} * op.heads + h;
    float* query = at.queries + i * op.dim;
    if (r != current && op.rope.dims != 0) at.turns.at(op.rope, *i32(positions.row(r)));
    current = r;
    at.turns.rotate(op.rope, query, op.dim);
    round_row(op.rounding, query, op.dim);
    at.weights[i] *= static_cast<float>(op.scale);
  });
  c.barrier();

  for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
    score_row(c, op, at, keys, scores, r, rows.first);
  }
}

}  // namespace

extern const OpEntry kIndexScore =
    make_entry_with<ds4_op_index_score, Layout, check_index_score, run, work_index_score>(
        DS4_OP_INDEX_SCORE);

}  // namespace ds4::fast
