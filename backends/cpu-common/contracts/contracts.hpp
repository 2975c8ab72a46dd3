/// What each op demands of its descriptor, and how much work it is. Every CPU backend checks alike.
///
/// check_<op> throws naming what is wrong (check.hpp). work_<op> counts multiply-adds, roughly.
#pragma once

#include <cstdint>

#include "../attention_check.hpp"
#include "../check.hpp"
#include "../context.hpp"
#include "../loops.hpp"
#include "../pair_rows.hpp"

namespace ds4::cpu {

inline std::uint32_t mixes_of(const ds4_op_hc_pre& op) noexcept {
  return (2 + op.x.extent[1]) * op.x.extent[1];
}

inline std::uint64_t in_of(const ds4_op_attn_out& op) noexcept {
  return sdk::sat_mul(vectors_of(op.o), width_of(op.o));
}

inline std::uint64_t low_of(const ds4_op_attn_out& op) noexcept {
  return width_of(op.wo_b);
}

inline std::uint32_t inner_of(const ds4_op_moe_routed& op) noexcept {
  return op.gate != nullptr ? op.gate->extent[1] : 0;
}

inline std::uint64_t slots_of(const ds4_op_moe_routed& op) noexcept {
  return sdk::sat_mul(most_rows(op.rows, op.ids), width_of(op.ids));
}

inline std::uint32_t experts_of(const ds4_op_moe_routed& op) noexcept {
  return op.gate != nullptr ? op.gate->extent[0] : 0;
}

inline std::uint32_t inner_of(const ds4_op_ffn_shared& op) noexcept {
  return op.gate != nullptr ? op.gate->extent[0] : 0;
}

/// At plan time the weight may be absent; the descriptor says how many there will be.
inline std::uint32_t experts_of(const ds4_op_route& op) noexcept {
  return op.gate != nullptr ? op.gate->extent[0] : op.experts;
}

void check_copy_cast(Check& c, const ds4_op_copy_cast& op);
std::uint64_t work_copy_cast(const ds4_op_copy_cast& op, std::uint64_t rows);
void check_fill(Check& c, const ds4_op_fill& op);
std::uint64_t work_fill(const ds4_op_fill& op, std::uint64_t rows);
void check_gather_rows(Check& c, const ds4_op_gather_rows& op);
std::uint64_t work_gather_rows(const ds4_op_gather_rows& op, std::uint64_t rows);
void check_scatter_rows(Check& c, const ds4_op_scatter_rows& op);
std::uint64_t work_scatter_rows(const ds4_op_scatter_rows& op, std::uint64_t rows);
void check_page_rows(Check& c, const ds4_op_page_rows& op);
std::uint64_t work_page_rows(const ds4_op_page_rows& op, std::uint64_t rows);
void check_resolve_tokens(Check& c, const ds4_op_resolve_tokens& op);
std::uint64_t work_resolve_tokens(const ds4_op_resolve_tokens& op, std::uint64_t rows);
void check_take_columns(Check& c, const ds4_op_take_columns& op);
std::uint64_t work_take_columns(const ds4_op_take_columns& op, std::uint64_t rows);
void check_embed_streams(Check& c, const ds4_op_embed_streams& op);
std::uint64_t work_embed_streams(const ds4_op_embed_streams& op, std::uint64_t rows);
void check_scale_add(Check& c, const ds4_op_scale_add& op);
std::uint64_t work_scale_add(const ds4_op_scale_add& op, std::uint64_t rows);
void check_row_sum(Check& c, const ds4_op_row_sum& op);
std::uint64_t work_row_sum(const ds4_op_row_sum& op, std::uint64_t rows);
void check_unary(Check& c, const ds4_op_unary& op);
std::uint64_t work_unary(const ds4_op_unary& op, std::uint64_t rows);
void check_rms_norm(Check& c, const ds4_op_rms_norm& op);
std::uint64_t work_rms_norm(const ds4_op_rms_norm& op, std::uint64_t rows);
void check_rope_tail(Check& c, const ds4_op_rope_tail& op);
std::uint64_t work_rope_tail(const ds4_op_rope_tail& op, std::uint64_t rows);
void check_quant_round_trip(Check& c, const ds4_op_quant_round_trip& op);
std::uint64_t work_quant_round_trip(const ds4_op_quant_round_trip& op, std::uint64_t rows);
void check_swiglu_clamp(Check& c, const ds4_op_swiglu_clamp& op);
std::uint64_t work_swiglu_clamp(const ds4_op_swiglu_clamp& op, std::uint64_t rows);
void check_softmax_sink(Check& c, const ds4_op_softmax_sink& op);
std::uint64_t work_softmax_sink(const ds4_op_softmax_sink& op, std::uint64_t rows);
void check_softmax_pool(Check& c, const ds4_op_softmax_pool& op);
std::uint64_t work_softmax_pool(const ds4_op_softmax_pool& op, std::uint64_t rows);
void check_mix_streams(Check& c, const ds4_op_mix_streams& op);
std::uint64_t work_mix_streams(const ds4_op_mix_streams& op, std::uint64_t rows);
void check_normalize_sum(Check& c, const ds4_op_normalize_sum& op);
std::uint64_t work_normalize_sum(const ds4_op_normalize_sum& op, std::uint64_t rows);
void check_sinkhorn_split(Check& c, const ds4_op_sinkhorn_split& op);
std::uint64_t work_sinkhorn_split(const ds4_op_sinkhorn_split& op, std::uint64_t rows);
void check_steer(Check& c, const ds4_op_steer& op);
std::uint64_t work_steer(const ds4_op_steer& op, std::uint64_t rows);
void check_hc_pre(Check& c, const ds4_op_hc_pre& op);
std::uint64_t work_hc_pre(const ds4_op_hc_pre& op, std::uint64_t rows);
void check_hc_post(Check& c, const ds4_op_hc_post& op);
std::uint64_t work_hc_post(const ds4_op_hc_post& op, std::uint64_t rows);
void check_matmul(Check& c, const ds4_op_matmul& op);
std::uint64_t work_matmul(const ds4_op_matmul& op, std::uint64_t rows);
void check_matmul_act(Check& c, const ds4_op_matmul_act& op);
std::uint64_t work_matmul_act(const ds4_op_matmul_act& op, std::uint64_t rows);
void check_grouped_matmul(Check& c, const ds4_op_grouped_matmul& op);
std::uint64_t work_grouped_matmul(const ds4_op_grouped_matmul& op, std::uint64_t rows);
void check_q_project(Check& c, const ds4_op_q_project& op);
std::uint64_t work_q_project(const ds4_op_q_project& op, std::uint64_t rows);
void check_kv_project(Check& c, const ds4_op_kv_project& op);
std::uint64_t work_kv_project(const ds4_op_kv_project& op, std::uint64_t rows);
void check_compress_project(Check& c, const ds4_op_compress_project& op);
std::uint64_t work_compress_project(const ds4_op_compress_project& op, std::uint64_t rows);
void check_attn_out(Check& c, const ds4_op_attn_out& op);
std::uint64_t work_attn_out(const ds4_op_attn_out& op, std::uint64_t rows);
void check_moe_routed(Check& c, const ds4_op_moe_routed& op);
std::uint64_t work_moe_routed(const ds4_op_moe_routed& op, std::uint64_t rows);
void check_ffn_shared(Check& c, const ds4_op_ffn_shared& op);
std::uint64_t work_ffn_shared(const ds4_op_ffn_shared& op, std::uint64_t rows);
void check_head(Check& c, const ds4_op_head& op);
std::uint64_t work_head(const ds4_op_head& op, std::uint64_t rows);
void check_compress_emit(Check& c, const ds4_op_compress_emit& op);
std::uint64_t work_compress_emit(const ds4_op_compress_emit& op, std::uint64_t rows);
void check_index_score(Check& c, const ds4_op_index_score& op);
std::uint64_t work_index_score(const ds4_op_index_score& op, std::uint64_t rows);
void check_topk(Check& c, const ds4_op_topk& op);
std::uint64_t work_topk(const ds4_op_topk& op, std::uint64_t rows);
void check_index_topk(Check& c, const ds4_op_index_topk& op);
std::uint64_t work_index_topk(const ds4_op_index_topk& op, std::uint64_t rows);
void check_sample_argmax(Check& c, const ds4_op_sample& op);
std::uint64_t work_sample_argmax(const ds4_op_sample& op, std::uint64_t rows);
void check_sample_topk(Check& c, const ds4_op_sample& op);
std::uint64_t work_sample_topk(const ds4_op_sample& op, std::uint64_t rows);
void check_route(Check& c, const ds4_op_route& op);
std::uint64_t work_route(const ds4_op_route& op, std::uint64_t rows);
void check_attention_rows(Check& c, const ds4_op_attention& op);
void check_attn_decode(Check& c, const ds4_op_attention& op);
void check_attn_prefill_window(Check& c, const ds4_op_attention& op);
void check_attn_prefill_mixed(Check& c, const ds4_op_attention& op);
void check_attn_indexed(Check& c, const ds4_op_attention& op);
void check_binary(Check& c, const ds4_op_binary& op);
std::uint64_t work_binary(const ds4_op_binary& op, std::uint64_t rows);
void check_commit(Check& c, const ds4_op_commit& op);
std::uint64_t work_commit(const ds4_op_commit& op, std::uint64_t rows);

}  // namespace ds4::cpu
