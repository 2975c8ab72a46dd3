#include "quantize/official_names.hpp"

#include <string_view>

namespace ds4::quantize {
namespace {

using enum TensorRole;

// The name behind "layers.N.", or the whole name of a global tensor.
std::string_view official_suffix(TensorRole role) noexcept {
  switch (role) {
    case token_embd:
      return "embed.weight";
    case output_norm:
      return "norm.weight";
    case output:
      return "head.weight";
    case output_hc_fn:
      return "hc_head_fn";
    case output_hc_base:
      return "hc_head_base";
    case output_hc_scale:
      return "hc_head_scale";
    case hc_attn_fn:
      return "hc_attn_fn";
    case hc_attn_scale:
      return "hc_attn_scale";
    case hc_attn_base:
      return "hc_attn_base";
    case hc_ffn_fn:
      return "hc_ffn_fn";
    case hc_ffn_scale:
      return "hc_ffn_scale";
    case hc_ffn_base:
      return "hc_ffn_base";
    case attn_norm:
      return "attn_norm.weight";
    case ffn_norm:
      return "ffn_norm.weight";
    case attn_q_a:
      return "attn.wq_a.weight";
    case attn_q_a_norm:
      return "attn.q_norm.weight";
    case attn_q_b:
      return "attn.wq_b.weight";
    case attn_kv:
      return "attn.wkv.weight";
    case attn_kv_a_norm:
      return "attn.kv_norm.weight";
    case attn_sinks:
      return "attn.attn_sink";
    case attn_output_a:
      return "attn.wo_a.weight";
    case attn_output_b:
      return "attn.wo_b.weight";
    case attn_compressor_ape:
      return "attn.compressor.ape";
    case attn_compressor_kv:
      return "attn.compressor.wkv.weight";
    case attn_compressor_gate:
      return "attn.compressor.wgate.weight";
    case attn_compressor_norm:
      return "attn.compressor.norm.weight";
    case indexer_q_b:
      return "attn.indexer.wq_b.weight";
    case indexer_proj:
      return "attn.indexer.weights_proj.weight";
    case indexer_compressor_ape:
      return "attn.indexer.compressor.ape";
    case indexer_compressor_kv:
      return "attn.indexer.compressor.wkv.weight";
    case indexer_compressor_gate:
      return "attn.indexer.compressor.wgate.weight";
    case indexer_compressor_norm:
      return "attn.indexer.compressor.norm.weight";
    case ffn_gate_inp:
      return "ffn.gate.weight";
    case ffn_gate_tid2eid:
      return "ffn.gate.tid2eid";
    case exp_probs_bias:
      return "ffn.gate.bias";
    case ffn_gate_shexp:
      return "ffn.shared_experts.w1.weight";
    case ffn_up_shexp:
      return "ffn.shared_experts.w3.weight";
    case ffn_down_shexp:
      return "ffn.shared_experts.w2.weight";
    default:
      return {};
  }
}

}  // namespace

std::string official_name(TensorRole role, std::optional<std::uint32_t> layer) {
  const std::string_view suffix = official_suffix(role);
  if (suffix.empty() || !layer) return std::string(suffix);
  return "layers." + std::to_string(*layer) + "." + std::string(suffix);
}

bool is_routed_expert(TensorRole role) noexcept {
  return role == ffn_gate_exps || role == ffn_up_exps || role == ffn_down_exps;
}

std::string official_expert_name(TensorRole role, std::uint32_t layer, std::uint32_t expert) {
  const std::string_view part = role == ffn_gate_exps ? "w1" : role == ffn_up_exps ? "w3" : "w2";
  return "layers." + std::to_string(layer) + ".ffn.experts." + std::to_string(expert) + "." +
         std::string(part) + ".weight";
}

}  // namespace ds4::quantize
