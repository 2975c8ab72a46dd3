/// index_score: the lightning indexer's scores of all visible rows (model.md 3.9); contract in
/// ds4/ops.h.
#include <algorithm>

#include "../kernels/index_dots.hpp"
#include "../kernels/product.hpp"
#include "../kernels/sums.hpp"
#include "../kernels/turns.hpp"
#include "cpu-common/row_codec.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

/// True where queries and keys are rounded to the same blocks of fp4.
bool has_fp4_products(const ds4_op_index_score& op) noexcept {
  return DS4_CPU_BYTE_DOTS != 0 && op.keys.rows.dtype == DS4_DTYPE_INDEX_ROW &&
         op.rounding.format == DS4_ROUND_FP4_E2M1 && op.rounding.block == kIndexBlock &&
         op.rounding.tail == 0 && (op.rounding.flags & DS4_ROUNDING_TAIL_BF16) == 0 &&
         op.dim % kIndexBlock == 0;
}

/// Phases: the heads' queries and weights by rows of wq_b and proj; rotation and rounding by
/// (row, head); the scores by entries, each key decoded once.
struct Layout {
  std::uint32_t lanes;  ///< heads in whole sixteens
  float* queries;       ///< shared: [rows, heads, dim], rounded unless they go to `codes`
  float* weights;       ///< shared: [rows, lanes]
  std::int8_t* codes;   ///< shared, see IndexQueries
  float* scales;
  std::int32_t* begin;
  ProductScratch of_qr;
  ProductScratch of_u;
  std::byte* row;  ///< an INDEX_ROW
  float* key;
  float* products;
  Turns turns;
  Layout(Arena& shared, Arena& local, const ds4_op_index_score& op)
      : lanes(static_cast<std::uint32_t>(
            std::min<std::uint64_t>(sdk::round_up(op.heads, kLanes), 0xffffffffu))),
        queries(shared.take<float>(most_rows(op.rows, op.scores), op.heads, op.dim)),
        weights(shared.take<float>(most_rows(op.rows, op.scores), lanes)),
        codes(shared.take<std::int8_t>(most_rows(op.rows, op.scores), lanes, op.dim)),
        scales(shared.take<float>(most_rows(op.rows, op.scores), lanes, op.dim / kIndexBlock)),
        begin(
            shared.take<std::int32_t>(most_rows(op.rows, op.scores), lanes, op.dim / kIndexBlock)),
        of_qr(shared, local, width_of(op.qr), most_rows(op.rows, op.scores)),
        of_u(shared, local, width_of(op.u), most_rows(op.rows, op.scores)),
        row(local.take<std::byte>(sdk::index_row_layout(op.dim).bytes)),
        key(local.take<float>(op.dim)),
        products(local.take<float>(lanes)),
        turns(local, op.rope) {}

  /// Row i of the range.
  [[nodiscard]] IndexQueries at(std::uint32_t i, std::uint32_t dim) const noexcept {
    const std::uint64_t blocks = std::uint64_t{i} * lanes * (dim / kIndexBlock);
    return {codes + std::uint64_t{i} * lanes * dim, scales + blocks, begin + blocks,
            weights + std::uint64_t{i} * lanes,     lanes,           dim};
  }
};

/// The score of one key in f32.
float score_plain(const ds4_op_index_score& op, const Layout& at, const RowSource& keys,
                  const std::byte* row, std::uint32_t i) noexcept {
  const float* queries = at.queries + std::uint64_t{i} * op.heads * op.dim;
  decode_row(keys.rows.dtype, keys.rows.tail, row, op.dim, at.key);
  for (std::uint32_t h = 0; h < op.heads; ++h) {
    const float product = dot(queries + std::uint64_t{h} * op.dim, at.key, op.dim);
    at.products[h] = product < 0 ? 0 : product;
  }
  return dot(at.weights + std::uint64_t{i} * at.lanes, at.products, op.heads);
}

void score_row(Context& c, const ds4_op_index_score& op, const Layout& at, const RowSource& keys,
               const Bytes& scores, std::uint32_t r, std::uint32_t first) noexcept {
  float* out = f32(scores.row(r));
  const std::int64_t seen = keys.size(r);
  if (seen < 0 || seen > std::int64_t{scores.width}) {
    return c.bad_index("keys.count", r, seen, scores.width);
  }
  [[maybe_unused]] const IndexQueries queries = at.at(r - first, op.dim);
  [[maybe_unused]] const bool is_fp4 = has_fp4_products(op);
  // Columns beyond the last entry hold no meaning and cost nothing.
  const sdk::Part columns = c.share(static_cast<std::uint64_t>(seen));
  for (std::uint64_t e = columns.begin; e < columns.end; ++e) {
    const sdk::SourceEntry entry = keys.at(r, static_cast<std::uint32_t>(e));
    if (entry.row < 0) return c.bad_index("keys", r, entry.value, keys.rows.entries);
    const std::byte* row = keys.rows.entry(static_cast<std::uint32_t>(entry.row));
#if DS4_CPU_BYTE_DOTS
    if (is_fp4) {
      out[e] = index_score(queries, row, reinterpret_cast<std::uint8_t*>(at.key));
      continue;
    }
#endif
    out[e] = score_plain(op, at, keys, row, r - first);
  }
}

/// Query h of row i of the range, rotated, and its weight: to what the scores take.
void finish_query(const ds4_op_index_score& op, const Layout& at, std::uint32_t i,
                  std::uint32_t h) noexcept {
  float* query = at.queries + (std::uint64_t{i} * op.heads + h) * op.dim;
  at.weights[std::uint64_t{i} * at.lanes + h] *= static_cast<float>(op.scale);
  if (!has_fp4_products(op)) return round_row(op.rounding, query, op.dim);
  if ((op.rounding.flags & DS4_ROUNDING_HADAMARD) != 0) hadamard(query, op.dim);
  encode_row(DS4_DTYPE_INDEX_ROW, 0, query, op.dim, at.row);
  const IndexQueries queries = at.at(i, op.dim);
  queries.put(h, at.row);
  for (std::uint32_t none = op.heads; h + 1 == op.heads && none < at.lanes; ++none) {
    queries.put_none(none);
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
  product(c, *op.proj, 0, op.heads, hidden, at.weights, at.lanes);
  c.barrier();

  at.turns.begin(op.rope);
  std::uint32_t current = rows.first - 1;
  each_vector(c, rows, op.heads, [&](std::uint32_t r, std::uint32_t h) {
    if (r != current && op.rope.dims != 0) at.turns.at(op.rope, *i32(positions.row(r)));
    current = r;
    const std::uint32_t i = r - rows.first;
    at.turns.rotate(op.rope, at.queries + (std::uint64_t{i} * op.heads + h) * op.dim, op.dim);
    finish_query(op, at, i, h);
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
