#pragma once

#include "plan/lowering/composer.hpp"

/// One function per tier-2 op, in the file of the op's name; lowering.cpp chooses.
namespace ds4::lowering {

Result<void> embed_streams(const ds4_op_embed_streams& op, LoweringSink& sink);
Result<void> hc_pre(const ds4_op_hc_pre& op, LoweringSink& sink);
Result<void> hc_post(const ds4_op_hc_post& op, LoweringSink& sink);
Result<void> q_project(const ds4_op_q_project& op, LoweringSink& sink);
Result<void> kv_project(const ds4_op_kv_project& op, LoweringSink& sink);
Result<void> kv_commit(const ds4_op_commit& op, LoweringSink& sink);
Result<void> compress_project(const ds4_op_compress_project& op, LoweringSink& sink);
Result<void> compress_emit(const ds4_op_compress_emit& op, LoweringSink& sink);
Result<void> compress_commit(const ds4_op_commit& op, LoweringSink& sink);
Result<void> index_score(const ds4_op_index_score& op, LoweringSink& sink);
Result<void> index_topk(const ds4_op_index_topk& op, LoweringSink& sink);
Result<void> attn_decode(const ds4_op_attention& op, LoweringSink& sink);
Result<void> attn_prefill_window(const ds4_op_attention& op, LoweringSink& sink);
Result<void> attn_prefill_mixed(const ds4_op_attention& op, LoweringSink& sink);
Result<void> attn_indexed(const ds4_op_attention& op, LoweringSink& sink);
Result<void> attn_out(const ds4_op_attn_out& op, LoweringSink& sink);
Result<void> route(const ds4_op_route& op, LoweringSink& sink);
Result<void> moe_routed(const ds4_op_moe_routed& op, LoweringSink& sink);
Result<void> ffn_shared(const ds4_op_ffn_shared& op, LoweringSink& sink);
Result<void> head(const ds4_op_head& op, LoweringSink& sink);
Result<void> sample_argmax(const ds4_op_sample& op, LoweringSink& sink);
Result<void> sample_topk(const ds4_op_sample& op, LoweringSink& sink);
Result<void> steer(const ds4_op_steer& op, LoweringSink& sink);

/// What the four attention ids share: attention_rows without rotation, then the inverse rotation of
/// the result in place (attention.cpp).
Result<void> attention(const ds4_op_attention& op, Composer& to);

}  // namespace ds4::lowering
