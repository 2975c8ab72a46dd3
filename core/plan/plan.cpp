#include "plan/plan.hpp"

#include <algorithm>

#include "plan/forward_pass.hpp"

namespace ds4 {

ForwardPass::ForwardPass(const PlanInputs& inputs, const AskSupport& support)
    : in_(inputs),
      config_(*inputs.config),
      span_(in_.span.value_or(PassSpan::whole(config_.layers))),
      classes_(ratio_classes(config_)),
      builder_(inputs.arena, support),
      rows_(in_.step.step_class.rows()),
      all_{rows_, DS4_STEP_ROWS, 0, DS4_SLOT_NONE} {
  if (needs_tokens()) tokens_ = builder_.tensor(DS4_DTYPE_I32, {rows_});
  x_[0] = builder_.tensor(DS4_DTYPE_F32, {rows_, config_.streams, config_.width});
  if (span_.has_layers()) place_activations();
}

Result<Plan> ForwardPass::build() {
  layer_ = span_.first_layer;
  if (needs_tokens()) DS4_CHECK(resolve_tokens());
  if (span_.embeds) DS4_CHECK(embed());
  if (span_.has_layers()) DS4_CHECK(clear_fold());
  for (; layer_ < span_.end_layer; ++layer_) {
    DS4_CHECK(attention_half());
    DS4_CHECK(ffn_half());
  }
  if (span_.has_head) DS4_CHECK(head());
  return builder_.finish(in_.step, x_[0]);
}

void ForwardPass::place_activations() {
  const ModelConfig& c = config_;
  x_[1] = builder_.tensor(DS4_DTYPE_F32, {rows_, c.streams, c.width});
  u_ = builder_.tensor(DS4_DTYPE_F32, {rows_, c.width});
  out_ = builder_.tensor(DS4_DTYPE_F32, {rows_, c.width});
  if (in_.streams_experts) shared_ = builder_.tensor(DS4_DTYPE_F32, {rows_, c.width});
  post_ = builder_.tensor(DS4_DTYPE_F32, {rows_, c.streams});
  comb_ = builder_.tensor(DS4_DTYPE_F32, {rows_, c.streams, c.streams});
  qr_ = builder_.tensor(DS4_DTYPE_F32, {rows_, c.q_rank});
  q_ = builder_.tensor(DS4_DTYPE_F32, {rows_, c.heads, c.head_dim});
  o_ = builder_.tensor(DS4_DTYPE_F32, {rows_, c.heads, c.head_dim});
  kv_ = builder_.tensor(DS4_DTYPE_F32, {rows_, c.head_dim});
  experts_ = builder_.tensor(DS4_DTYPE_I32, {rows_, c.experts_used});
  route_weights_ = builder_.tensor(DS4_DTYPE_F32, {rows_, c.experts_used});
  if (folds_experts()) {
    folded_ = builder_.tensor(DS4_DTYPE_I32, {rows_, c.experts_used});
    const std::uint32_t pages = (c.experts + c.stored() - 1) / c.stored();
    fold_slots_ = builder_.tensor(DS4_DTYPE_I32, {rows_, 1});
    fold_table_ = builder_.tensor(DS4_DTYPE_I32, {rows_, pages});
  }
  if (!classes_.empty()) {
    pairs_ = builder_.tensor(DS4_DTYPE_F32, {rows_, 4 * c.head_dim});
    index_pairs_ = builder_.tensor(DS4_DTYPE_F32, {rows_, 4 * c.index_dim});
    // Choices that a test looks at keep their full width; nobody can choose more than there is.
    const std::uint32_t chosen = in_.selections == Selections::internal
                                     ? std::min(c.index_top_k, std::max(in_.max_compressed, 1U))
                                     : c.index_top_k;
    selected_ = builder_.tensor(DS4_DTYPE_I32, {rows_, chosen});
    physical_ = builder_.tensor(DS4_DTYPE_I32, {rows_, chosen});
  }
}

bool ForwardPass::needs_tokens() const {
  if (span_.embeds) return true;
  for (std::uint32_t layer = span_.first_layer; layer < span_.end_layer; ++layer) {
    if (config_.is_hash_routed(layer)) return true;
  }
  return false;
}

Result<void> ForwardPass::resolve_tokens() {
  auto resolve = make<ds4_op_resolve_tokens>(DS4_OP_RESOLVE_TOKENS, all_);
  resolve.tokens = in_.step.tokens;
  resolve.sampled = in_.sampled;
  resolve.y = tokens_;
  return add(resolve);
}

Result<void> ForwardPass::embed() {
  auto embed = make<ds4_op_embed_streams>(DS4_OP_EMBED_STREAMS, all_);
  embed.weight = global(TensorRole::token_embd);
  embed.tokens = tokens_;
  embed.x = x_[0];
  return add(embed);
}

Result<void> ForwardPass::hc_pre(TensorRole fn, TensorRole scale, TensorRole base, TensorRole gain,
                                 const ds4_view& x) {
  auto op = make<ds4_op_hc_pre>(DS4_OP_HC_PRE, all_);
  op.fn = weight(fn);
  op.scale = weight(scale);
  op.base = weight(base);
  op.gain = weight(gain);
  op.x = x;
  op.y = u_;
  op.post = post_;
  op.comb = comb_;
  op.eps = config_.rms_epsilon;
  op.hc_eps = config_.hc_epsilon;
  op.iterations = config_.sinkhorn_iterations;
  return add(op);
}

Result<void> ForwardPass::hc_post(const ds4_view& x, const ds4_view& y) {
  auto op = make<ds4_op_hc_post>(DS4_OP_HC_POST, all_);
  op.x = x;
  op.out = out_;
  op.post = post_;
  op.comb = comb_;
  op.y = y;
  return add(op);
}

Result<void> ForwardPass::head() {
  const std::uint32_t wanted = in_.step.step_class.logits_rows;
  if (wanted == 0) return {};
  const ds4_range range{wanted, DS4_STEP_LOGITS_ROWS, 0, DS4_SLOT_NONE};
  auto op = make<ds4_op_head>(DS4_OP_HEAD, range);
  op.fn = global(TensorRole::output_hc_fn);
  op.scale = global(TensorRole::output_hc_scale);
  op.base = global(TensorRole::output_hc_base);
  op.gain = global(TensorRole::output_norm);
  op.output = global(TensorRole::output);
  op.x = x_[0];
  op.ids = in_.step.logits_ids;
  op.logits = in_.logits;
  op.eps = config_.rms_epsilon;
  op.hc_eps = config_.hc_epsilon;
  DS4_CHECK(add(op));

  auto argmax = make<ds4_op_sample>(DS4_OP_SAMPLE_ARGMAX, range);
  argmax.x = in_.logits;
  argmax.ids = in_.sampled;
  return add(argmax);
}

Result<Plan> Plan::build(const PlanInputs& inputs, const AskSupport& support) {
  return ForwardPass(inputs, support).build();
}

}  // namespace ds4
