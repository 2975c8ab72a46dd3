/// What writes the ops of one forward pass; one object per plan. The two halves of a layer have a
/// file each: attention_half.cpp, ffn_half.cpp.
#pragma once

#include <array>
#include <initializer_list>
#include <vector>

#include "ops/views.hpp"
#include "plan/plan.hpp"
#include "plan/plan_builder.hpp"

namespace ds4 {

class ForwardPass {
 public:
  ForwardPass(const PlanInputs& inputs, const AskSupport& support);

  Result<Plan> build();

 private:
  void place_activations();
  /// The embedding reads them, and layers that route by token.
  [[nodiscard]] bool needs_tokens() const;
  Result<void> resolve_tokens();
  Result<void> embed();
  Result<void> hc_pre(TensorRole fn, TensorRole scale, TensorRole base, TensorRole gain,
                      const ds4_view& x);
  Result<void> hc_post(const ds4_view& x, const ds4_view& y);
  Result<void> head();

  // attention_half.cpp
  Result<void> attention_half();
  Result<void> project();
  /// Pairs of this step, then the compressed rows they finish: a row that a token finishes is
  /// visible to that token.
  Result<void> compress();
  Result<void> compress_with(TensorRole wkv, TensorRole wgate, TensorRole ape, TensorRole gain,
                             const ds4_view& pairs, const ds4_view& ring, const ds4_view& pool,
                             const ds4_rounding& rounding);
  /// Scores and picks compressed rows, a tile of rows at a time so that scores stay small at any
  /// context.
  Result<void> choose_rows();
  /// A composition keeps the products of every head: its tiles are smaller by that factor.
  Result<void> place_scores();
  [[nodiscard]] ds4_view scores_at(const ds4_range& range) const;
  [[nodiscard]] ds4_op_index_score score_tile(const ds4_range& range) const;
  [[nodiscard]] ds4_row_source pages(const ds4_view& pool) const;
  /// Decode rows and prefill rows go to the op made for them; both read ring, workspace and pool in
  /// this order.
  Result<void> attend();
  Result<void> attend_rows(std::uint32_t id, const ds4_range& range);
  Result<void> commit();
  Result<void> commit_rows(std::uint32_t id, const ds4_view& rows, const ds4_view& ids,
                           const ds4_view& ring);
  [[nodiscard]] ds4_rope rope(bool inverse = false) const;
  [[nodiscard]] ds4_rounding kv_rounding() const;
  [[nodiscard]] ds4_rounding index_rounding() const;

  // ffn_half.cpp
  Result<void> ffn_half();
  Result<void> route();
  /// Page rows of a list of zeros: every page of experts is the first.
  Result<void> clear_fold();
  /// Where fewer experts are stored than there are, id e runs the weights of e mod stored(). With
  /// `stored` rows a page and a table of zeros, page_rows is that remainder; no backend needs to
  /// know (docs/decisions/0005). Recorded and forced choices stay ids of the router.
  Result<void> fold_experts();
  Result<void> run_routed();
  Result<void> run_shared(const ds4_view& y, std::uint32_t flags);
  Result<void> add_shared();
  /// The experts are given; only their weights follow from the scores.
  Result<void> weigh_forced();
  const ds4_view& forced_scores();

  [[nodiscard]] const ds4_weight* global(TensorRole role) const {
    return in_.global[static_cast<std::size_t>(role)];
  }
  [[nodiscard]] const ds4_weight* weight(TensorRole role) const {
    return in_.layers.empty() ? nullptr : in_.layers[layer_][static_cast<std::size_t>(role)];
  }
  [[nodiscard]] const LayerKv& kv() const { return in_.kv[layer_]; }
  [[nodiscard]] std::uint32_t ratio() const { return config_.ratio(layer_); }
  [[nodiscard]] const RatioLists& lists() const {
    return in_.step.ratios[class_of(classes_, ratio())];
  }
  [[nodiscard]] const ds4_view& page_table() const {
    return in_.page_tables[class_of(classes_, ratio())];
  }
  [[nodiscard]] bool is_sparse() const { return config_.kind(layer_) == LayerKind::sparse; }
  [[nodiscard]] bool folds_experts() const { return config_.stored() != config_.experts; }
  [[nodiscard]] const ds4_view& expert_ids() const {
    return in_.selections == Selections::internal ? experts_ : in_.layer_selections[layer_].experts;
  }
  /// The same values as a row-contiguous tensor of other extents.
  static ds4_view reshape(const ds4_view& view, std::initializer_list<std::uint32_t> extents) {
    return make_view(view.buffer, view.offset, view.dtype, extents);
  }
  template <class Op>
  static Op make(std::uint32_t id, const ds4_range& rows) {
    Op op = make_op<Op>(id);
    op.rows = rows;
    return op;
  }
  template <class Op>
  Result<void> add(const Op& op) {
    return builder_.add(op, layer_);
  }

  const PlanInputs& in_;
  const ModelConfig& config_;
  const PassSpan span_;
  const std::vector<RatioClass> classes_;
  PlanBuilder builder_;
  const std::uint32_t rows_;
  const ds4_range all_;
  std::uint32_t layer_ = 0;
  std::uint32_t tile_ = 0;

  // Activations, reused by every layer. x_[0] enters and leaves a layer, x_[1] lies between its
  // halves.
  std::array<ds4_view, 2> x_{};
  ds4_view tokens_{}, u_{}, out_{}, shared_{}, post_{}, comb_{}, qr_{}, q_{}, o_{}, kv_{};
  ds4_view pairs_{}, index_pairs_{}, scores_{}, selected_{}, physical_{};
  ds4_view experts_{}, route_weights_{}, forced_scores_{};
  ds4_view folded_{}, fold_slots_{}, fold_table_{};
};

}  // namespace ds4
