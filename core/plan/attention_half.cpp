#include <algorithm>
#include <cmath>

#include "plan/forward_pass.hpp"

namespace ds4 {
namespace {

// Index scores of one tile of rows take at most this many bytes, whatever the context.
constexpr std::uint64_t kScoreBytes = 64ULL << 20;

}  // namespace

Result<void> ForwardPass::attention_half() {
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

Result<void> ForwardPass::project() {
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

Result<void> ForwardPass::compress() {
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

Result<void> ForwardPass::compress_with(TensorRole wkv, TensorRole wgate, TensorRole ape,
                                        TensorRole gain, const ds4_view& pairs,
                                        const ds4_view& ring, const ds4_view& pool,
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
  auto emit =
      make<ds4_op_compress_emit>(DS4_OP_COMPRESS_EMIT, {lists().emissions, slot, 0, DS4_SLOT_NONE});
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

Result<void> ForwardPass::choose_rows() {
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

Result<void> ForwardPass::place_scores() {
  const std::uint32_t visible = std::max(in_.max_compressed, 1U);
  scores_ = make_view(nullptr, 0, DS4_DTYPE_F32, {rows_, visible});
  DS4_TRY(const bool is_fused, builder_.has(score_tile(all_)));
  const std::uint64_t row_bytes = 4ULL * visible * (is_fused ? 1 : config_.index_heads);
  tile_ = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(kScoreBytes / row_bytes, 1, rows_));
  scores_ = builder_.tensor(DS4_DTYPE_F32, {tile_, visible});
  return {};
}

ds4_view ForwardPass::scores_at(const ds4_range& range) const {
  ds4_view scores = scores_;
  scores.first_row = range.begin;
  return scores;
}

ds4_op_index_score ForwardPass::score_tile(const ds4_range& range) const {
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

ds4_row_source ForwardPass::pages(const ds4_view& pool) const {
  ds4_row_source source{};
  source.kind = DS4_SOURCE_PAGES;
  source.page_rows = kPageRows;
  source.rows = pool;
  source.count = lists().visible;
  source.slot = in_.step.slots;
  source.table = page_table();
  return source;
}

Result<void> ForwardPass::attend() {
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

Result<void> ForwardPass::attend_rows(std::uint32_t id, const ds4_range& range) {
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

Result<void> ForwardPass::commit() {
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

Result<void> ForwardPass::commit_rows(std::uint32_t id, const ds4_view& rows, const ds4_view& ids,
                                      const ds4_view& ring) {
  auto op = make<ds4_op_commit>(id, all_);
  op.x = rows;
  op.ids = ids;
  op.y = ring;
  return add(op);
}

ds4_rope ForwardPass::rope(bool inverse) const {
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

ds4_rounding ForwardPass::kv_rounding() const {
  ds4_rounding rounding{};
  rounding.tail = config_.rot_dim;
  if (in_.roundings.kv_fp8) {
    rounding.format = DS4_ROUND_FP8_E4M3;
    rounding.block = 64;
    if (in_.roundings.row_storage) rounding.flags = DS4_ROUNDING_TAIL_BF16;
  }
  return rounding;
}

ds4_rounding ForwardPass::index_rounding() const {
  ds4_rounding rounding{};
  if (in_.roundings.index_fp4) {
    rounding.format = DS4_ROUND_FP4_E2M1;
    rounding.block = 32;
    rounding.flags = DS4_ROUNDING_HADAMARD;
  }
  return rounding;
}

}  // namespace ds4
