#include "ops/op_table.hpp"

#include <algorithm>
#include <array>

namespace ds4 {
namespace {

template <class Op>
constexpr OpTraits required(std::uint32_t id, std::string_view name, std::uint32_t flags = 0) {
  return {id, name, OpTier::required, sizeof(Op), flags};
}

template <class Op>
constexpr OpTraits fused(std::uint32_t id, std::string_view name, std::uint32_t flags = 0) {
  return {id, name, OpTier::fused, sizeof(Op), flags};
}

constexpr std::array kOps{
    required<ds4_op_copy_cast>(DS4_OP_COPY_CAST, "copy_cast"),
    required<ds4_op_fill>(DS4_OP_FILL, "fill"),
    required<ds4_op_gather_rows>(DS4_OP_GATHER_ROWS, "gather_rows"),
    required<ds4_op_scatter_rows>(DS4_OP_SCATTER_ROWS, "scatter_rows"),
    required<ds4_op_page_rows>(DS4_OP_PAGE_ROWS, "page_rows"),
    required<ds4_op_resolve_tokens>(DS4_OP_RESOLVE_TOKENS, "resolve_tokens"),
    required<ds4_op_binary>(DS4_OP_ADD, "add"),
    required<ds4_op_binary>(DS4_OP_MUL, "mul"),
    required<ds4_op_scale_add>(DS4_OP_SCALE_ADD, "scale_add"),
    required<ds4_op_row_sum>(DS4_OP_ROW_SUM, "row_sum"),
    required<ds4_op_unary>(DS4_OP_UNARY, "unary"),
    required<ds4_op_matmul>(DS4_OP_MATMUL, "matmul", DS4_MATMUL_ACCUMULATE),
    required<ds4_op_matmul_act>(DS4_OP_MATMUL_ACT, "matmul_act"),
    required<ds4_op_grouped_matmul>(DS4_OP_GROUPED_MATMUL, "grouped_matmul"),
    required<ds4_op_rms_norm>(DS4_OP_RMS_NORM, "rms_norm"),
    required<ds4_op_rope_tail>(DS4_OP_ROPE_TAIL, "rope_tail"),
    required<ds4_op_quant_round_trip>(DS4_OP_QUANT_ROUND_TRIP, "quant_round_trip"),
    required<ds4_op_swiglu_clamp>(DS4_OP_SWIGLU_CLAMP, "swiglu_clamp"),
    required<ds4_op_softmax_sink>(DS4_OP_SOFTMAX_SINK, "softmax_sink"),
    required<ds4_op_softmax_pool>(DS4_OP_SOFTMAX_POOL, "softmax_pool", DS4_POOL_OVERLAP),
    required<ds4_op_mix_streams>(DS4_OP_MIX_STREAMS, "mix_streams",
                                 DS4_MIX_TRANSPOSE | DS4_MIX_ACCUMULATE),
    required<ds4_op_topk>(DS4_OP_TOPK, "topk", DS4_TOPK_ASCENDING_IDS),
    required<ds4_op_take_columns>(DS4_OP_TAKE_COLUMNS, "take_columns"),
    required<ds4_op_normalize_sum>(DS4_OP_NORMALIZE_SUM, "normalize_sum"),
    required<ds4_op_sinkhorn_split>(DS4_OP_SINKHORN_SPLIT, "sinkhorn_split"),
    required<ds4_op_attention>(DS4_OP_ATTENTION_ROWS, "attention_rows"),
    fused<ds4_op_embed_streams>(DS4_OP_EMBED_STREAMS, "embed_streams"),
    fused<ds4_op_hc_pre>(DS4_OP_HC_PRE, "hc_pre"),
    fused<ds4_op_hc_post>(DS4_OP_HC_POST, "hc_post"),
    fused<ds4_op_q_project>(DS4_OP_Q_PROJECT, "q_project"),
    fused<ds4_op_kv_project>(DS4_OP_KV_PROJECT, "kv_project"),
    fused<ds4_op_commit>(DS4_OP_KV_COMMIT, "kv_commit"),
    fused<ds4_op_compress_project>(DS4_OP_COMPRESS_PROJECT, "compress_project"),
    fused<ds4_op_compress_emit>(DS4_OP_COMPRESS_EMIT, "compress_emit", DS4_POOL_OVERLAP),
    fused<ds4_op_commit>(DS4_OP_COMPRESS_COMMIT, "compress_commit"),
    fused<ds4_op_index_score>(DS4_OP_INDEX_SCORE, "index_score"),
    fused<ds4_op_index_topk>(DS4_OP_INDEX_TOPK, "index_topk"),
    fused<ds4_op_attention>(DS4_OP_ATTN_DECODE, "attn_decode"),
    fused<ds4_op_attention>(DS4_OP_ATTN_PREFILL_WINDOW, "attn_prefill_window"),
    fused<ds4_op_attention>(DS4_OP_ATTN_PREFILL_MIXED, "attn_prefill_mixed"),
    fused<ds4_op_attention>(DS4_OP_ATTN_INDEXED, "attn_indexed"),
    fused<ds4_op_attn_out>(DS4_OP_ATTN_OUT, "attn_out"),
    fused<ds4_op_route>(DS4_OP_ROUTE, "route"),
    fused<ds4_op_moe_routed>(DS4_OP_MOE_ROUTED, "moe_routed"),
    fused<ds4_op_ffn_shared>(DS4_OP_FFN_SHARED, "ffn_shared", DS4_MATMUL_ACCUMULATE),
    fused<ds4_op_head>(DS4_OP_HEAD, "head"),
    fused<ds4_op_sample>(DS4_OP_SAMPLE_ARGMAX, "sample_argmax"),
    fused<ds4_op_sample>(DS4_OP_SAMPLE_TOPK, "sample_topk"),
    fused<ds4_op_steer>(DS4_OP_STEER, "steer"),
};

constexpr bool is_ascending() {
  for (std::size_t i = 1; i < kOps.size(); ++i) {
    if (kOps[i - 1].id >= kOps[i].id) return false;
  }
  return true;
}
static_assert(is_ascending(), "find_op() searches by halves");

}  // namespace

std::span<const OpTraits> op_table() noexcept {
  return kOps;
}

const OpTraits* find_op(std::uint32_t id) noexcept {
  const auto at = std::lower_bound(
      kOps.begin(), kOps.end(), id,
      [](const OpTraits& traits, std::uint32_t wanted) { return traits.id < wanted; });
  return at != kOps.end() && at->id == id ? &*at : nullptr;
}

std::string_view op_name(std::uint32_t id) noexcept {
  const OpTraits* traits = find_op(id);
  return traits ? traits->name : "unknown";
}

std::string_view view_dtype_name(std::uint32_t dtype) noexcept {
  switch (dtype) {
    case DS4_DTYPE_F32:
      return "f32";
    case DS4_DTYPE_F16:
      return "f16";
    case DS4_DTYPE_BF16:
      return "bf16";
    case DS4_DTYPE_I32:
      return "i32";
    case DS4_DTYPE_Q4_0:
      return "q4_0";
    case DS4_DTYPE_Q8_0:
      return "q8_0";
    case DS4_DTYPE_Q2_K:
      return "q2_k";
    case DS4_DTYPE_Q3_K:
      return "q3_k";
    case DS4_DTYPE_Q4_K:
      return "q4_k";
    case DS4_DTYPE_Q5_K:
      return "q5_k";
    case DS4_DTYPE_Q6_K:
      return "q6_k";
    case DS4_DTYPE_IQ2_XXS:
      return "iq2_xxs";
    case DS4_DTYPE_MXFP4:
      return "mxfp4";
    case DS4_DTYPE_KV_ROW:
      return "kv_row";
    case DS4_DTYPE_INDEX_ROW:
      return "index_row";
    default:
      return "unknown";
  }
}

}  // namespace ds4
