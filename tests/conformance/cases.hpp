#pragma once

#include "tests/conformance/harness/bounds.hpp"
#include "tests/conformance/harness/dtypes.hpp"
#include "tests/conformance/harness/estimate.hpp"
#include "tests/conformance/harness/suite.hpp"

/// One function per fused op, in <op>.cases.cpp: the grid that its composition is compared on.
namespace ds4::conformance {

void embed_streams_cases(Suite& suite);
void hc_pre_cases(Suite& suite);
void hc_post_cases(Suite& suite);
void q_project_cases(Suite& suite);
void kv_project_cases(Suite& suite);
void kv_commit_cases(Suite& suite);
void compress_project_cases(Suite& suite);
void compress_emit_cases(Suite& suite);
void compress_commit_cases(Suite& suite);
void index_score_cases(Suite& suite);
void index_topk_cases(Suite& suite);
void attn_decode_cases(Suite& suite);
void attn_prefill_window_cases(Suite& suite);
void attn_prefill_mixed_cases(Suite& suite);
void attn_indexed_cases(Suite& suite);
void attn_out_cases(Suite& suite);
void route_cases(Suite& suite);
void moe_routed_cases(Suite& suite);
void ffn_shared_cases(Suite& suite);
void head_cases(Suite& suite);
void sample_argmax_cases(Suite& suite);
void sample_topk_cases(Suite& suite);
void steer_cases(Suite& suite);

/// Required ops (tier1_*.cases.cpp), against a formula alone.
void topk_cases(Suite& suite);
void gather_rows_cases(Suite& suite);
void scatter_rows_cases(Suite& suite);
void page_rows_cases(Suite& suite);
void resolve_tokens_cases(Suite& suite);
void take_columns_cases(Suite& suite);
void unary_cases(Suite& suite);
void softmax_sink_cases(Suite& suite);
void rope_tail_cases(Suite& suite);
void quant_round_trip_cases(Suite& suite);
void swiglu_clamp_cases(Suite& suite);
void rms_norm_cases(Suite& suite);
void copy_cast_cases(Suite& suite);
void fill_cases(Suite& suite);
void add_cases(Suite& suite);
void mul_cases(Suite& suite);
void scale_add_cases(Suite& suite);
void row_sum_cases(Suite& suite);
void matmul_cases(Suite& suite);
void matmul_act_cases(Suite& suite);
void grouped_matmul_cases(Suite& suite);
void mix_streams_cases(Suite& suite);
void normalize_sum_cases(Suite& suite);
void sinkhorn_split_cases(Suite& suite);
void softmax_pool_cases(Suite& suite);
void attention_rows_cases(Suite& suite);

/// What the four attention ids share: sources of every kind, with and without sink and rotation.
void attention_cases(Suite& suite, std::uint32_t id, std::uint32_t pool_kind);
/// What the two commits share.
void commit_cases(Suite& suite, std::uint32_t id, std::uint32_t dtype);

}  // namespace ds4::conformance
