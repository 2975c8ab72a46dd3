#include "plan/plan.hpp"

#include <algorithm>
#include <cmath>

#include "ops/views.hpp"
#include "plan/plan_builder.hpp"

namespace ds4 {
namespace {

// Index scores of one tile of rows take at most this many bytes, whatever the context.
constexpr std::uint64_t kScoreBytes = 64ULL << 20;

constexpr float kRouteFloor = 6.103515625e-5F;  // 2^-14, model.md 3.12

/// The same values as a row-contiguous tensor of other extents.
ds4_view reshape(const ds4_view& view, std::initializer_list<std::uint32_t> extents) {
  return make_view(view.buffer, view.offset, view.dtype, extents);
}

template <class Op>
Op make(std::uint32_t id, const ds4_range& rows) {
  Op op = make_op<Op>(id);
  op.rows = rows;
  return op;
}

/// Writes the ops of one forward pass; one object per plan.
class ForwardPass {
 public:
  ForwardPass(const PlanInputs& inputs, const AskSupport& support)
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

  Result<Plan> build() {
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

 private:
  void place_activations() {
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

  /// The embedding reads them, and layers that route by token.
  [[nodiscard]] bool needs_tokens() const {
    if (span_.embeds) return true;
    for (std::uint32_t layer = span_.first_layer; layer < span_.end_layer; ++layer) {
      if (config_.is_hash_routed(layer)) return true;
    }
    return false;
  }

  Result<void> resolve_tokens() {
    auto resolve = make<ds4_op_resolve_tokens>(DS4_OP_RESOLVE_TOKENS, all_);
    resolve.tokens = in_.step.tokens;
    resolve.sampled = in_.sampled;
    resolve.y = tokens_;
    return add(resolve);
  }

  Result<void> embed() {
    auto embed = make<ds4_op_embed_streams>(DS4_OP_EMBED_STREAMS, all_);
    embed.weight = global(TensorRole::token_embd);
    embed.tokens = tokens_;
    embed.x = x_[0];
    return add(embed);
  }

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
  [[nodiscard]] bool is_sparse() const { return config_.kind(layer_) == LayerKind::sparse; }
  template <class Op>
  Result<void> add(const Op& op) {
    return builder_.add(op, layer_);
  }

  [[nodiscard]] ds4_rope rope(bool inverse = false) const {
    ds4_rope rope{};
    rope.dims = config_.rot_dim;
    rope.base = ratio() == 0 ? config_.rope_base : config_.compress_rope_base;
    if (ratio() != 0) {
      rope.flags = DS4_ROPE_YARN;
      rope.factor = config_.yarn_factor;
      rope.beta_fast = config_.yarn_beta_fast;
      rope.beta_slow = config_.yarn_beta_slow;
      rope.original_context = static_cast<std::uint32_t>(config_.yarn_original_context);
    }
    if (inverse) rope.flags |= DS4_ROPE_INVERSE;
    return rope;
  }

  [[nodiscard]] ds4_rounding kv_rounding() const {
    ds4_rounding rounding{};
    rounding.tail = config_.rot_dim;
    if (in_.roundings.kv_fp8) {
      rounding.format = DS4_ROUND_FP8_E4M3;
      rounding.block = 64;
      if (in_.roundings.row_storage) rounding.flags = DS4_ROUNDING_TAIL_BF16;
    }
    return rounding;
  }

  [[nodiscard]] ds4_rounding index_rounding() const {
    ds4_rounding rounding{};
    if (in_.roundings.index_fp4) {
      rounding.format = DS4_ROUND_FP4_E2M1;
      rounding.block = 32;
      rounding.flags = DS4_ROUNDING_HADAMARD;
    }
    return rounding;
  }

  Result<void> hc_pre(TensorRole fn, TensorRole scale, TensorRole base, TensorRole gain,
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

  Result<void> hc_post(const ds4_view& x, const ds4_view& y) {
    auto op = make<ds4_op_hc_post>(DS4_OP_HC_POST, all_);
    op.x = x;
    op.out = out_;
    op.post = post_;
    op.comb = comb_;
    op.y = y;
    return add(op);
  }

  Result<void> attention_half() {
    DS4_CHECK(hc_pre(TensorRole::hc_attn_fn, TensorRole::hc_attn_scale, TensorRole::hc_attn_base,
                     TensorRole::attn_norm, x_[0]));
    DS4_CHECK(project());
    if (ratio() != 0) DS4_CHECK(compress());
    if (is_sparse()) DS4_CHECK(choose_rows());
    DS4_CHECK(attend());
    DS4_CHECK(commit());

    auto out = make<ds4_op_attn_out>(DS4_OP_ATTN_OUT, all_);
    out.wo_a = weight(TensorRole::attn_output_a);
    out.wo_b = weight(TensorRole::attn_output_b);
    out.o = o_;
    out.y = out_;
    out.groups = config_.output_groups;
    out.rank = config_.output_rank;
    DS4_CHECK(add(out));
    return hc_post(x_[0], x_[1]);
  }

  Result<void> project() {
    auto q = make<ds4_op_q_project>(DS4_OP_Q_PROJECT, all_);
    q.wq_a = weight(TensorRole::attn_q_a);
    q.gain = weight(TensorRole::attn_q_a_norm);
    q.wq_b = weight(TensorRole::attn_q_b);
    q.u = u_;
    q.positions = in_.step.positions;
    q.qr = qr_;
    q.q = q_;
    q.rope = rope();
    q.eps = config_.rms_epsilon;
    DS4_CHECK(add(q));

    auto kv = make<ds4_op_kv_project>(DS4_OP_KV_PROJECT, all_);
    kv.wkv = weight(TensorRole::attn_kv);
    kv.gain = weight(TensorRole::attn_kv_a_norm);
    kv.u = u_;
    kv.positions = in_.step.positions;
    kv.kv = kv_;
    kv.rope = rope();
    kv.rounding = kv_rounding();
    kv.eps = config_.rms_epsilon;
    return add(kv);
  }

  /// Pairs of this step, then the compressed rows they finish: a row that a token finishes is
  /// visible to that token.
  Result<void> compress() {
    const std::uint32_t columns = compress_factor(ratio()) * config_.head_dim;
    DS4_CHECK(compress_with(TensorRole::attn_compressor_kv, TensorRole::attn_compressor_gate,
                            TensorRole::attn_compressor_ape, TensorRole::attn_compressor_norm,
                            reshape(pairs_, {rows_, 2 * columns}), kv().pairs, kv().pool,
                            kv_rounding()));
    if (!is_sparse()) return {};
    return compress_with(
        TensorRole::indexer_compressor_kv, TensorRole::indexer_compressor_gate,
        TensorRole::indexer_compressor_ape, TensorRole::indexer_compressor_norm,
        reshape(index_pairs_, {rows_, 2 * compress_factor(ratio()) * config_.index_dim}),
        kv().index_pairs, kv().index_pool, index_rounding());
  }

  Result<void> compress_with(TensorRole wkv, TensorRole wgate, TensorRole ape, TensorRole gain,
                             const ds4_view& pairs, const ds4_view& ring, const ds4_view& pool,
                             const ds4_rounding& rounding) {
    auto project = make<ds4_op_compress_project>(DS4_OP_COMPRESS_PROJECT, all_);
    project.wkv = weight(wkv);
    project.wgate = weight(wgate);
    project.ape = weight(ape);
    project.u = u_;
    project.ape_rows = lists().window_rows;
    project.pairs = pairs;
    DS4_CHECK(add(project));

    const std::size_t index = class_of(classes_, ratio());
    const auto slot = static_cast<std::uint32_t>(DS4_STEP_EMISSIONS + index);
    auto emit = make<ds4_op_compress_emit>(DS4_OP_COMPRESS_EMIT,
                                           {lists().emissions, slot, 0, DS4_SLOT_NONE});
    emit.op.flags = classes_[index].has_overlap() ? DS4_POOL_OVERLAP : 0U;
    emit.gain = weight(gain);
    emit.ring = ring;
    emit.work = pairs;
    emit.list = lists().emit_list;
    emit.positions = lists().emit_positions;
    emit.ids = lists().emit_ids;
    emit.pool = pool;
    emit.rope = rope();
    emit.rounding = rounding;
    emit.eps = config_.rms_epsilon;
    return add(emit);
  }

  /// Scores and picks compressed rows, a tile of rows at a time so that scores stay small at any
  /// context.
  Result<void> choose_rows() {
    const ds4_view chosen =
        in_.selections == Selections::internal ? selected_ : in_.layer_selections[layer_].index;
    if (in_.selections != Selections::forced) {
      if (tile_ == 0) DS4_CHECK(place_scores());
      for (std::uint32_t begin = 0; begin < rows_; begin += tile_) {
        const ds4_range range{std::min(tile_, rows_ - begin), DS4_STEP_ROWS, begin, DS4_SLOT_NONE};
        DS4_CHECK(add(score_tile(range)));
        auto top = make<ds4_op_index_topk>(DS4_OP_INDEX_TOPK, range);
        top.scores = scores_at(range);
        top.count = lists().visible;
        top.ids = chosen;
        DS4_CHECK(add(top));
      }
    }
    auto page = make<ds4_op_page_rows>(DS4_OP_PAGE_ROWS, all_);
    page.ids = chosen;
    page.slot = in_.step.slots;
    page.table = page_table();
    page.physical = physical_;
    page.page_rows = kPageRows;
    return add(page);
  }

  /// A composition keeps the products of every head: its tiles are smaller by that factor.
  Result<void> place_scores() {
    const std::uint32_t visible = std::max(in_.max_compressed, 1U);
    scores_ = make_view(nullptr, 0, DS4_DTYPE_F32, {rows_, visible});
    DS4_TRY(const bool is_fused, builder_.has(score_tile(all_)));
    const std::uint64_t row_bytes = 4ULL * visible * (is_fused ? 1 : config_.index_heads);
    tile_ =
        static_cast<std::uint32_t>(std::clamp<std::uint64_t>(kScoreBytes / row_bytes, 1, rows_));
    scores_ = builder_.tensor(DS4_DTYPE_F32, {tile_, visible});
    return {};
  }

  [[nodiscard]] ds4_view scores_at(const ds4_range& range) const {
    ds4_view scores = scores_;
    scores.first_row = range.begin;
    return scores;
  }

  [[nodiscard]] ds4_op_index_score score_tile(const ds4_range& range) const {
    auto score = make<ds4_op_index_score>(DS4_OP_INDEX_SCORE, range);
    score.wq_b = weight(TensorRole::indexer_q_b);
    score.proj = weight(TensorRole::indexer_proj);
    score.qr = qr_;
    score.u = u_;
    score.positions = in_.step.positions;
    score.keys = pages(kv().index_pool);
    score.scores = scores_at(range);
    score.rope = rope();
    score.rounding = index_rounding();
    score.scale = 1.0 / std::sqrt(static_cast<double>(config_.index_dim) * config_.index_heads);
    score.heads = config_.index_heads;
    score.dim = config_.index_dim;
    return score;
  }

  [[nodiscard]] const ds4_view& page_table() const {
    return in_.page_tables[class_of(classes_, ratio())];
  }

  [[nodiscard]] ds4_row_source pages(const ds4_view& pool) const {
    ds4_row_source source{};
    source.kind = DS4_SOURCE_PAGES;
    source.page_rows = kPageRows;
    source.rows = pool;
    source.count = lists().visible;
    source.slot = in_.step.slots;
    source.table = page_table();
    return source;
  }

  /// Decode rows and prefill rows go to the op made for them; both read ring, workspace and pool in
  /// this order.
  Result<void> attend() {
    const StepClass& step_class = in_.step.step_class;
    if (is_sparse()) return attend_rows(DS4_OP_ATTN_INDEXED, all_);
    if (step_class.decode_rows > 0) {
      DS4_CHECK(attend_rows(DS4_OP_ATTN_DECODE,
                            {step_class.decode_rows, DS4_STEP_DECODE_ROWS, 0, DS4_SLOT_NONE}));
    }
    if (step_class.prefill_rows == 0) return {};
    return attend_rows(ratio() == 0 ? DS4_OP_ATTN_PREFILL_WINDOW : DS4_OP_ATTN_PREFILL_MIXED,
                       {step_class.prefill_rows, DS4_STEP_PREFILL_ROWS, 0, DS4_STEP_DECODE_ROWS});
  }

  Result<void> attend_rows(std::uint32_t id, const ds4_range& range) {
    auto op = make<ds4_op_attention>(id, range);
    op.sink = weight(TensorRole::attn_sinks);
    op.q = q_;
    op.positions = in_.step.positions;
    op.y = o_;
    op.rope = rope(true);
    op.scale = 1.0 / std::sqrt(static_cast<double>(config_.head_dim));

    ds4_row_source& ring = op.source[0];
    ring.kind = DS4_SOURCE_RANGE;
    ring.wrap = kv().ring.extent[1];
    ring.rows = kv().ring;
    ring.list = in_.step.ring_range;
    ring.slot = in_.step.slots;

    ds4_row_source& work = op.source[1];
    work.kind = DS4_SOURCE_RANGE;
    work.rows = kv_;
    work.list = in_.step.work_range;

    if (is_sparse()) {
      op.source[2].kind = DS4_SOURCE_LIST;
      op.source[2].rows = kv().pool;
      op.source[2].list = physical_;
    } else if (ratio() != 0) {
      op.source[2] = pages(kv().pool);
    }
    return add(op);
  }

  Result<void> commit() {
    DS4_CHECK(commit_rows(DS4_OP_KV_COMMIT, kv_, in_.step.ring_ids, kv().ring));
    if (ratio() == 0) return {};
    const std::uint32_t factor = compress_factor(ratio());
    DS4_CHECK(commit_rows(DS4_OP_COMPRESS_COMMIT,
                          reshape(pairs_, {rows_, 2 * factor * config_.head_dim}), lists().pair_ids,
                          kv().pairs));
    if (!is_sparse()) return {};
    return commit_rows(DS4_OP_COMPRESS_COMMIT,
                       reshape(index_pairs_, {rows_, 2 * factor * config_.index_dim}),
                       lists().pair_ids, kv().index_pairs);
  }

  Result<void> commit_rows(std::uint32_t id, const ds4_view& rows, const ds4_view& ids,
                           const ds4_view& ring) {
    auto op = make<ds4_op_commit>(id, all_);
    op.x = rows;
    op.ids = ids;
    op.y = ring;
    return add(op);
  }

  Result<void> ffn_half() {
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

  Result<void> run_routed() {
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

  Result<void> run_shared(const ds4_view& y, std::uint32_t flags) {
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

  Result<void> add_shared() {
    auto sum = make<ds4_op_binary>(DS4_OP_ADD, all_);
    sum.x = out_;
    sum.b = shared_;
    sum.y = out_;
    return add(sum);
  }

  [[nodiscard]] const ds4_view& expert_ids() const {
    return in_.selections == Selections::internal ? experts_ : in_.layer_selections[layer_].experts;
  }

  Result<void> route() {
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

  [[nodiscard]] bool folds_experts() const { return config_.stored() != config_.experts; }

  /// Page rows of a list of zeros: every page of experts is the first.
  Result<void> clear_fold() {
    if (!folds_experts()) return {};
    for (const ds4_view& zeros : {fold_slots_, fold_table_}) {
      auto fill = make<ds4_op_fill>(DS4_OP_FILL, all_);
      fill.y = zeros;
      DS4_CHECK(add(fill));
    }
    return {};
  }

  /// Where fewer experts are stored than there are, id e runs the weights of e mod stored(). With
  /// `stored` rows a page and a table of zeros, page_rows is that remainder; no backend needs to
  /// know (docs/decisions/0005). Recorded and forced choices stay ids of the router.
  Result<void> fold_experts() {
    if (!folds_experts()) return {};
    auto fold = make<ds4_op_page_rows>(DS4_OP_PAGE_ROWS, all_);
    fold.ids = expert_ids();
    fold.slot = reshape(fold_slots_, {rows_});
    fold.table = fold_table_;
    fold.physical = folded_;
    fold.page_rows = config_.stored();
    return add(fold);
  }

  /// The experts are given; only their weights follow from the scores.
  Result<void> weigh_forced() {
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

  const ds4_view& forced_scores() {
    if (forced_scores_.rank == 0) {
      forced_scores_ = builder_.tensor(DS4_DTYPE_F32, {rows_, config_.experts});
    }
    return forced_scores_;
  }

  Result<void> head() {
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

}  // namespace

Result<Plan> Plan::build(const PlanInputs& inputs, const AskSupport& support) {
  return ForwardPass(inputs, support).build();
}

}  // namespace ds4
