#include "plan/forward_pass.hpp"

namespace ds4 {
namespace {

constexpr float kRouteFloor = 6.103515625e-5F;  // 2^-14, model.md 3.12

}  // namespace

Result<void> ForwardPass::ffn_half() {
  DS4_CHECK(hc_pre(TensorRole::hc_ffn_fn, TensorRole::hc_ffn_scale, TensorRole::hc_ffn_base,
                   TensorRole::ffn_norm, x_[1]));
  DS4_CHECK(route());
  DS4_CHECK(fold_experts());
  if (in_.streams_experts) {
    // Experts are read from when they are chosen; what needs none of them runs meanwhile. The sum
    // is that of the other order: the shared expert is added to the routed ones.
    DS4_CHECK(run_shared(shared_, 0));
    DS4_CHECK(run_routed());
    DS4_CHECK(add_shared());
  } else {
    DS4_CHECK(run_routed());
    DS4_CHECK(run_shared(out_, DS4_MATMUL_ACCUMULATE));
  }
  return hc_post(x_[1], x_[0]);
}

Result<void> ForwardPass::route() {
  if (in_.selections == Selections::forced) return weigh_forced();
  auto op = make<ds4_op_route>(DS4_OP_ROUTE, all_);
  op.gate = weight(TensorRole::ffn_gate_inp);
  op.v = u_;
  op.ids = expert_ids();
  op.weights = route_weights_;
  op.floor = kRouteFloor;
  op.scale = config_.route_scale;
  op.experts = config_.experts;
  if (config_.is_hash_routed(layer_)) {
    op.table = weight(TensorRole::ffn_gate_tid2eid);
    op.tokens = tokens_;
  } else {
    op.bias = weight(TensorRole::exp_probs_bias);
  }
  return add(op);
}

Result<void> ForwardPass::clear_fold() {
  if (!folds_experts()) return {};
  for (const ds4_view& zeros : {fold_slots_, fold_table_}) {
    auto fill = make<ds4_op_fill>(DS4_OP_FILL, all_);
    fill.y = zeros;
    DS4_CHECK(add(fill));
  }
  return {};
}

Result<void> ForwardPass::fold_experts() {
  if (!folds_experts()) return {};
  auto fold = make<ds4_op_page_rows>(DS4_OP_PAGE_ROWS, all_);
  fold.ids = expert_ids();
  fold.slot = reshape(fold_slots_, {rows_});
  fold.table = fold_table_;
  fold.physical = folded_;
  fold.page_rows = config_.stored();
  return add(fold);
}

Result<void> ForwardPass::run_routed() {
  auto routed = make<ds4_op_moe_routed>(DS4_OP_MOE_ROUTED, all_);
  routed.gate = weight(TensorRole::ffn_gate_exps);
  routed.up = weight(TensorRole::ffn_up_exps);
  routed.down = weight(TensorRole::ffn_down_exps);
  routed.v = u_;
  routed.ids = folds_experts() ? folded_ : expert_ids();
  routed.weights = route_weights_;
  routed.y = out_;
  routed.inner = config_.expert_width;
  routed.limit = config_.swiglu_limit[layer_];
  return add(routed);
}

Result<void> ForwardPass::run_shared(const ds4_view& y, std::uint32_t flags) {
  auto shared = make<ds4_op_ffn_shared>(DS4_OP_FFN_SHARED, all_);
  shared.op.flags = flags;
  shared.gate = weight(TensorRole::ffn_gate_shexp);
  shared.up = weight(TensorRole::ffn_up_shexp);
  shared.down = weight(TensorRole::ffn_down_shexp);
  shared.v = u_;
  shared.y = y;
  shared.inner = config_.expert_width;
  shared.limit = config_.shared_swiglu_limit[layer_];
  return add(shared);
}

Result<void> ForwardPass::add_shared() {
  auto sum = make<ds4_op_binary>(DS4_OP_ADD, all_);
  sum.x = out_;
  sum.b = shared_;
  sum.y = out_;
  return add(sum);
}

Result<void> ForwardPass::weigh_forced() {
  const ds4_view scores = forced_scores();
  auto gate = make<ds4_op_matmul>(DS4_OP_MATMUL, all_);
  gate.weight = weight(TensorRole::ffn_gate_inp);
  gate.x = u_;
  gate.y = scores;
  DS4_CHECK(add(gate));

  auto unary = make<ds4_op_unary>(DS4_OP_UNARY, all_);
  unary.x = scores;
  unary.y = scores;
  unary.function = DS4_UNARY_SQRT_SOFTPLUS;
  DS4_CHECK(add(unary));

  auto take = make<ds4_op_take_columns>(DS4_OP_TAKE_COLUMNS, all_);
  take.x = scores;
  take.ids = expert_ids();
  take.y = route_weights_;
  DS4_CHECK(add(take));

  auto normalize = make<ds4_op_normalize_sum>(DS4_OP_NORMALIZE_SUM, all_);
  normalize.x = route_weights_;
  normalize.y = route_weights_;
  normalize.floor = kRouteFloor;
  normalize.scale = config_.route_scale;
  return add(normalize);
}

const ds4_view& ForwardPass::forced_scores() {
  if (forced_scores_.rank == 0) {
    forced_scores_ = builder_.tensor(DS4_DTYPE_F32, {rows_, config_.experts});
  }
  return forced_scores_;
}

}  // namespace ds4
