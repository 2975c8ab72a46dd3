/// route: the router's choice of experts and their weights (model.md 3.12); contract in ds4/ops.h.
#include <limits>

#include "common.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

struct Layout {
  double* scores;  // shared: [rows, experts]
  float* weights;
  float* bias;
  Layout(Arena& shared, Arena& local, const ds4_op_route& op)
      : scores(shared.take<double>(most_rows(op.rows, op.ids), experts_of(op))),
        weights(local.take<float>(width_of(op.v))),
        bias(local.take<float>(experts_of(op))) {}
};

/// The k best of score + bias, best first, ties to the lower id; NaN after every number.
void choose(const double* scores, const float* bias, std::uint32_t experts, std::uint32_t k,
            std::int32_t* ids) noexcept {
  const auto biased = [&](std::uint32_t e) {
    // Compared as the f32 values that pass between ops.
    return static_cast<float>(scores[e] + (bias != nullptr ? bias[e] : 0.0F));
  };
  for (std::uint32_t chosen = 0; chosen < k; ++chosen) {
    std::int64_t best = -1;
    float best_value = 0;
    for (std::uint32_t e = 0; e < experts; ++e) {
      bool is_taken = false;
      for (std::uint32_t i = 0; i < chosen; ++i) {
        is_taken = is_taken || ids[i] == static_cast<std::int32_t>(e);
      }
      const float value = biased(e);
      if (is_taken || value == -std::numeric_limits<float>::infinity()) continue;
      const bool is_better =
          best < 0 || value > best_value || (best_value != best_value && value == value);
      if (is_better) {
        best = e;
        best_value = value;
      }
    }
    ids[chosen] = static_cast<std::int32_t>(best);
  }
}

void run(Context& c, const ds4_op_route& op, const sdk::RowRange& rows) {
  const Layout at(c.shared, c.local, op);
  const Bytes v = Context::bytes(op.v);
  const Bytes tokens = Context::bytes(op.tokens);
  const Bytes ids = Context::bytes(op.ids);
  const Bytes weights = Context::bytes(op.weights);
  const std::uint32_t experts = experts_of(op);
  const auto score_row = [&](std::uint32_t r) {
    return at.scores + std::uint64_t{r - rows.first} * experts;
  };
  each_weight_row(c, *op.gate, 0, experts, at.weights, [&](std::uint64_t e, const float* w) {
    for (std::uint32_t r = rows.first; r < rows.end(); ++r) {
      const double z = dot(f32(v.row(r)), w, v.width);
      score_row(r)[e] = std::sqrt(z > 20 ? z : std::log1p(std::exp(z)));
    }
  });
  c.barrier();

  const float* bias = op.bias != nullptr ? weight_row(*op.bias, 0, at.bias) : nullptr;
  each_row(c, rows, [&](std::uint32_t r) {
    std::int32_t* chosen = i32(ids.row(r));
    if (op.table != nullptr) {
      const std::int32_t token = *i32(tokens.row(r));
      const std::int64_t vocabulary = op.table->extent[0];
      if (token < 0 || token >= vocabulary) return c.bad_index("tokens", r, token, vocabulary);
      std::memcpy(chosen, op.table->row(static_cast<std::uint32_t>(token)),
                  std::uint64_t{ids.width} * 4);
    } else {
      choose(score_row(r), bias, experts, ids.width, chosen);
    }
    double sum = 0;
    for (std::uint32_t k = 0; k < ids.width; ++k) {
      if (chosen[k] < -1 || chosen[k] >= std::int64_t{experts}) {
        return c.bad_index("table", r, chosen[k], experts);
      }
      if (chosen[k] >= 0) sum += score_row(r)[chosen[k]];
    }
    if (sum < op.floor) sum = op.floor;
    for (std::uint32_t k = 0; k < ids.width; ++k) {
      const double score = chosen[k] >= 0 ? score_row(r)[chosen[k]] : 0.0;
      f32(weights.row(r))[k] = static_cast<float>(score / sum * op.scale);
    }
  });
}

}  // namespace

extern const OpEntry kRoute =
    make_entry_with<ds4_op_route, Layout, check_route, run, work_route>(DS4_OP_ROUTE);

}  // namespace ds4::reference
