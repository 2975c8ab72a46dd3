#include "tests/conformance/cases.hpp"

#include <array>

namespace ds4::conformance {

std::span<const OpCases> all_cases() noexcept {
  static constexpr std::array kCases{
      OpCases{"embed_streams", embed_streams_cases, true},
      OpCases{"hc_pre", hc_pre_cases, true},
      OpCases{"hc_post", hc_post_cases, true},
      OpCases{"q_project", q_project_cases, true},
      OpCases{"kv_project", kv_project_cases, true},
      OpCases{"kv_commit", kv_commit_cases, true},
      OpCases{"compress_project", compress_project_cases, true},
      OpCases{"compress_emit", compress_emit_cases, true},
      OpCases{"compress_commit", compress_commit_cases, true},
      OpCases{"index_score", index_score_cases, true},
      OpCases{"index_topk", index_topk_cases, true},
      OpCases{"attn_decode", attn_decode_cases, true, 1024},
      OpCases{"attn_prefill_window", attn_prefill_window_cases, true, 1024},
      OpCases{"attn_prefill_mixed", attn_prefill_mixed_cases, true, 1024},
      OpCases{"attn_indexed", attn_indexed_cases, true, 1024},
      OpCases{"attn_out", attn_out_cases, true},
      OpCases{"route", route_cases, true},
      OpCases{"moe_routed", moe_routed_cases, true, 1024},
      OpCases{"ffn_shared", ffn_shared_cases, true},
      OpCases{"head", head_cases, true, 64},
      OpCases{"sample_argmax", sample_argmax_cases, true, 64},
      OpCases{"sample_topk", sample_topk_cases, true, 64},
      OpCases{"steer", steer_cases, true},
      OpCases{"topk", topk_cases},
      OpCases{"gather_rows", gather_rows_cases},
      OpCases{"scatter_rows", scatter_rows_cases},
      OpCases{"page_rows", page_rows_cases},
      OpCases{"resolve_tokens", resolve_tokens_cases},
      OpCases{"take_columns", take_columns_cases},
      OpCases{"unary", unary_cases},
      OpCases{"softmax_sink", softmax_sink_cases},
      OpCases{"rope_tail", rope_tail_cases},
      OpCases{"quant_round_trip", quant_round_trip_cases},
      OpCases{"swiglu_clamp", swiglu_clamp_cases},
      OpCases{"rms_norm", rms_norm_cases, true},
      OpCases{"copy_cast", copy_cast_cases},
      OpCases{"fill", fill_cases},
      OpCases{"add", add_cases},
      OpCases{"mul", mul_cases},
      OpCases{"scale_add", scale_add_cases},
      OpCases{"row_sum", row_sum_cases},
      OpCases{"matmul", matmul_cases, true},
      OpCases{"matmul_act", matmul_act_cases},
      OpCases{"grouped_matmul", grouped_matmul_cases, true, 1024},
      OpCases{"mix_streams", mix_streams_cases},
      OpCases{"normalize_sum", normalize_sum_cases},
      OpCases{"sinkhorn_split", sinkhorn_split_cases},
      OpCases{"softmax_pool", softmax_pool_cases, true},
      OpCases{"attention_rows", attention_rows_cases, true, 1024},
  };
  return kCases;
}

}  // namespace ds4::conformance
