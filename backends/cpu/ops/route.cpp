/// route: the router's choice of experts and their weights (model.md 3.12); contract in ds4/ops.h.
#include <cstring>

#include "../kernels/choose.hpp"
#include "../kernels/product.hpp"
#include "../kernels/sums.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

struct Layout {
  float* scores;  ///< shared: [rows, experts]
  ProductScratch scratch;
  float* biased;
  float* bias;
  Layout(Arena& shared, Arena& local, const ds4_op_route& op)
      : scores(shared.take<float>(most_rows(op.rows, op.ids), experts_of(op))),
        scratch(shared, local, width_of(op.v), most_rows(op.rows, op.ids)),
        biased(local.take<float>(experts_of(op))),
        bias(local.take<float>(experts_of(op))) {}
};

/// The weights of the chosen experts of one row.
void weigh_chosen(Context& c, const ds4_op_route& op, std::uint32_t r, const float* scores,
                  const std::int32_t* chosen, std::uint32_t k, float* weights) noexcept {
  const std::int64_t experts = experts_of(op);
  double total = 0;
  for (std::uint32_t i = 0; i < k; ++i) {
    if (chosen[i] < -1 || chosen[i] >= experts) return c.bad_index("table", r, chosen[i], experts);
    if (chosen[i] >= 0) total += double{scores[chosen[i]]};
  }
  if (total < op.floor) total = op.floor;
  for (std::uint32_t i = 0; i < k; ++i) {
    const double score = chosen[i] >= 0 ? double{scores[chosen[i]]} : 0.0;
    weights[i] = static_cast<float>(score / total * op.scale);
  }
}

void run(Context& c, const ds4_op_route& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes v = Context::bytes(op.v);
  const Bytes tokens = Context::bytes(op.tokens);
  const Bytes ids = Context::bytes(op.ids);
  const Bytes weights = Context::bytes(op.weights);
  const std::uint32_t experts = experts_of(op);
  const Operand operand = make_operand(c, at.scratch, activations_of(v, rows, v.width), {op.gate});
  each_product(c, *op.gate, 0, experts, operand,
               [&](std::uint64_t o, std::uint32_t n, std::uint32_t i, const float* sums) {
                 float* out = at.scores + std::uint64_t{i} * experts + o;
                 for (std::uint32_t e = 0; e < n; ++e) {
                   out[e] = static_cast<float>(sqrt_softplus(double{sums[e]}));
                 }
               });
  c.barrier();

  const float* bias = op.bias != nullptr ? weight_row(*op.bias, 0, at.bias) : nullptr;
  each_row(c, rows, [&](std::uint32_t r) {
    const float* scores = at.scores + std::uint64_t{r - rows.first} * experts;
    std::int32_t* chosen = i32(ids.row(r));
    if (op.table != nullptr) {
      const std::int32_t token = *i32(tokens.row(r));
      const std::int64_t vocabulary = op.table->extent[0];
      if (token < 0 || token >= vocabulary) return c.bad_index("tokens", r, token, vocabulary);
      std::memcpy(chosen, op.table->row(static_cast<std::uint32_t>(token)),
                  std::uint64_t{ids.width} * 4);
    } else {
      for (std::uint32_t e = 0; e < experts; ++e) {
        at.biased[e] = bias != nullptr ? scores[e] + bias[e] : scores[e];
      }
      choose_best(at.biased, experts, ids.width, Order::best_first, chosen);
    }
    weigh_chosen(c, op, r, scores, chosen, ids.width, f32(weights.row(r)));
  });
}

}  // namespace

extern const OpEntry kRoute =
    make_entry_with<ds4_op_route, Layout, check_route, run, work_route>(DS4_OP_ROUTE);

}  // namespace ds4::fast
