#include "model/tensors.hpp"

#include <array>
#include <charconv>

namespace ds4 {
namespace {

using enum TensorRole;

constexpr std::array<RoleTraits, kTensorRoles> kRoles = {{
    {token_embd, "token_embd.weight", TensorGroup::embedding},
    {output_hc_fn, "output_hc_fn.weight", TensorGroup::side},
    {output_hc_base, "output_hc_base.weight", TensorGroup::vector},
    {output_hc_scale, "output_hc_scale.weight", TensorGroup::vector},
    {output_norm, "output_norm.weight", TensorGroup::vector},
    {output, "output.weight", TensorGroup::output},
    {hc_attn_fn, "hc_attn_fn.weight", TensorGroup::side},
    {hc_attn_scale, "hc_attn_scale.weight", TensorGroup::vector},
    {hc_attn_base, "hc_attn_base.weight", TensorGroup::vector},
    {attn_norm, "attn_norm.weight", TensorGroup::vector},
    {attn_q_a, "attn_q_a.weight", TensorGroup::attention},
    {attn_q_a_norm, "attn_q_a_norm.weight", TensorGroup::vector},
    {attn_q_b, "attn_q_b.weight", TensorGroup::attention},
    {attn_kv, "attn_kv.weight", TensorGroup::attention},
    {attn_kv_a_norm, "attn_kv_a_norm.weight", TensorGroup::vector},
    {attn_sinks, "attn_sinks.weight", TensorGroup::vector},
    {attn_output_a, "attn_output_a.weight", TensorGroup::attention},
    {attn_output_b, "attn_output_b.weight", TensorGroup::attention},
    {attn_compressor_ape, "attn_compressor_ape.weight", TensorGroup::side},
    {attn_compressor_kv, "attn_compressor_kv.weight", TensorGroup::side},
    {attn_compressor_gate, "attn_compressor_gate.weight", TensorGroup::side},
    {attn_compressor_norm, "attn_compressor_norm.weight", TensorGroup::vector},
    {indexer_q_b, "indexer.attn_q_b.weight", TensorGroup::side},
    {indexer_proj, "indexer.proj.weight", TensorGroup::side},
    {indexer_compressor_ape, "indexer_compressor_ape.weight", TensorGroup::side},
    {indexer_compressor_kv, "indexer_compressor_kv.weight", TensorGroup::side},
    {indexer_compressor_gate, "indexer_compressor_gate.weight", TensorGroup::side},
    {indexer_compressor_norm, "indexer_compressor_norm.weight", TensorGroup::vector},
    {hc_ffn_fn, "hc_ffn_fn.weight", TensorGroup::side},
    {hc_ffn_scale, "hc_ffn_scale.weight", TensorGroup::vector},
    {hc_ffn_base, "hc_ffn_base.weight", TensorGroup::vector},
    {ffn_norm, "ffn_norm.weight", TensorGroup::vector},
    {ffn_gate_inp, "ffn_gate_inp.weight", TensorGroup::side},
    {ffn_gate_tid2eid, "ffn_gate_tid2eid.weight", TensorGroup::table},
    {exp_probs_bias, "exp_probs_b.bias", TensorGroup::vector},
    {ffn_gate_exps, "ffn_gate_exps.weight", TensorGroup::expert_gate_up},
    {ffn_up_exps, "ffn_up_exps.weight", TensorGroup::expert_gate_up},
    {ffn_down_exps, "ffn_down_exps.weight", TensorGroup::expert_down},
    {ffn_gate_shexp, "ffn_gate_shexp.weight", TensorGroup::shared_expert},
    {ffn_up_shexp, "ffn_up_shexp.weight", TensorGroup::shared_expert},
    {ffn_down_shexp, "ffn_down_shexp.weight", TensorGroup::shared_expert},
    {mtp_eh_proj, "nextn.eh_proj.weight", TensorGroup::mtp},
    {mtp_e_proj, "e_proj.weight", TensorGroup::mtp},
    {mtp_h_proj, "h_proj.weight", TensorGroup::mtp},
    {mtp_enorm, "enorm.weight", TensorGroup::vector},
    {mtp_hnorm, "hnorm.weight", TensorGroup::vector},
    {mtp_norm, "norm.weight", TensorGroup::vector},
    {mtp_hc_head_fn, "hc_head_fn.weight", TensorGroup::side},
    {mtp_hc_head_base, "hc_head_base.weight", TensorGroup::vector},
    {mtp_hc_head_scale, "hc_head_scale.weight", TensorGroup::vector},
    {mtp_embed, "nextn.embed_tokens.weight", TensorGroup::embedding},
    {mtp_head, "nextn.shared_head_head.weight", TensorGroup::output},
}};

constexpr bool roles_are_in_order() {
  for (std::size_t i = 0; i < kRoles.size(); ++i) {
    if (static_cast<std::size_t>(kRoles[i].role) != i) return false;
  }
  return true;
}
static_assert(roles_are_in_order());

// What llama.cpp calls the MTP tensors inside a block; empty where it has no such tensor.
std::string_view llama_mtp_suffix(TensorRole role) noexcept {
  switch (role) {
    case mtp_eh_proj:
    case mtp_embed:
    case mtp_head:
      return role_traits(role).suffix;
    case mtp_enorm:
      return "nextn.enorm.weight";
    case mtp_hnorm:
      return "nextn.hnorm.weight";
    case mtp_norm:
      return "nextn.shared_head_norm.weight";
    default:
      return {};
  }
}

std::string prefixed(std::string_view prefix, std::uint32_t number, std::string_view suffix) {
  std::string out(prefix);
  out.append(std::to_string(number)).append(".").append(suffix);
  return out;
}

// Takes "<prefix><number>." off the front of `rest`.
std::optional<std::uint32_t> take_number(std::string_view& rest, std::string_view prefix) {
  if (!rest.starts_with(prefix)) return std::nullopt;
  const std::string_view digits = rest.substr(prefix.size());
  std::uint32_t number = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const auto used = static_cast<std::size_t>(end - digits.data());
  if (code != std::errc{} || used >= digits.size() || digits[used] != '.') return std::nullopt;
  if (used > 1 && digits[0] == '0') return std::nullopt;
  rest = digits.substr(used + 1);
  return number;
}

constexpr std::array kMatrixTypes = {Dtype::f32,  Dtype::f16,  Dtype::bf16, Dtype::q8_0,
                                     Dtype::q4_k, Dtype::q5_k, Dtype::q6_k};
constexpr std::array kExpertTypes = {Dtype::f32,  Dtype::f16,     Dtype::bf16, Dtype::q8_0,
                                     Dtype::q4_k, Dtype::q5_k,    Dtype::q6_k, Dtype::q2_k,
                                     Dtype::q3_k, Dtype::iq2_xxs, Dtype::q4_0, Dtype::mxfp4};
constexpr std::array kVectorTypes = {Dtype::f32, Dtype::f16, Dtype::bf16};
constexpr std::array kTableTypes = {Dtype::i32};

}  // namespace

const RoleTraits& role_traits(TensorRole role) noexcept {
  return kRoles[static_cast<std::size_t>(role)];
}

std::string global_tensor_name(TensorRole role) {
  return std::string(role_traits(role).suffix);
}

std::string layer_tensor_name(std::uint32_t layer, TensorRole role) {
  const std::string_view llama = llama_mtp_suffix(role);
  return prefixed("blk.", layer, llama.empty() ? role_traits(role).suffix : llama);
}

std::string mtp_tensor_name(std::uint32_t stage, TensorRole role) {
  return prefixed("mtp.", stage, role_traits(role).suffix);
}

std::optional<TensorKey> parse_tensor_name(std::string_view name) {
  TensorKey key{token_embd, std::nullopt, false};
  std::string_view rest = name;
  key.layer = take_number(rest, "blk.");
  if (!key.layer) {
    key.layer = take_number(rest, "mtp.");
    key.is_mtp_file = key.layer.has_value();
  }
  for (const RoleTraits& traits : kRoles) {
    if (is_global(traits.role) != !key.layer.has_value()) continue;
    const bool is_llama_mtp = is_mtp(traits.role) && !key.is_mtp_file;
    const std::string_view suffix = is_llama_mtp ? llama_mtp_suffix(traits.role) : traits.suffix;
    if (suffix.empty() || suffix != rest) continue;
    key.role = traits.role;
    return key;
  }
  return std::nullopt;
}

std::vector<std::uint64_t> role_dims(const ModelConfig& config, TensorRole role,
                                     std::uint32_t ratio) {
  const std::uint64_t width = config.width;
  const std::uint64_t streams = config.streams;
  const std::uint64_t head_dim = config.head_dim;
  const std::uint64_t group_width = std::uint64_t{config.heads_per_group()} * head_dim;
  const std::uint64_t output_width = std::uint64_t{config.output_groups} * config.output_rank;
  const std::uint64_t compressed = compress_factor(ratio) * head_dim;
  const std::uint64_t indexed = std::uint64_t{2} * config.index_dim;
  switch (role) {
    case token_embd:
    case output:
    case mtp_embed:
    case mtp_head:
      return {width, config.vocab};
    case output_hc_fn:
    case mtp_hc_head_fn:
      return {streams * width, streams};
    case output_hc_base:
    case mtp_hc_head_base:
      return {streams};
    case output_hc_scale:
    case mtp_hc_head_scale:
      return {1};
    case hc_attn_fn:
    case hc_ffn_fn:
      return {streams * width, config.hc_mix()};
    case hc_attn_base:
    case hc_ffn_base:
      return {config.hc_mix()};
    case hc_attn_scale:
    case hc_ffn_scale:
      return {3};
    case output_norm:
    case attn_norm:
    case ffn_norm:
    case mtp_enorm:
    case mtp_hnorm:
    case mtp_norm:
      return {width};
    case attn_q_a:
      return {width, config.q_rank};
    case attn_q_a_norm:
      return {config.q_rank};
    case attn_q_b:
      return {config.q_rank, config.heads * head_dim};
    case attn_kv:
      return {width, head_dim};
    case attn_kv_a_norm:
    case attn_compressor_norm:
      return {head_dim};
    case attn_sinks:
      return {config.heads};
    case attn_output_a:
      return {group_width, output_width};
    case attn_output_b:
      return {output_width, width};
    case attn_compressor_ape:
      return {compressed, ratio};
    case attn_compressor_kv:
    case attn_compressor_gate:
      return {width, compressed};
    case indexer_q_b:
      return {config.q_rank, std::uint64_t{config.index_heads} * config.index_dim};
    case indexer_proj:
      return {width, config.index_heads};
    case indexer_compressor_ape:
      return {indexed, ratio};
    case indexer_compressor_kv:
    case indexer_compressor_gate:
      return {width, indexed};
    case indexer_compressor_norm:
      return {config.index_dim};
    case ffn_gate_inp:
      return {width, config.experts};
    case ffn_gate_tid2eid:
      return {config.experts_used, config.vocab};
    case exp_probs_bias:
      return {config.experts};
    case ffn_gate_exps:
    case ffn_up_exps:
      return {width, config.expert_width, config.stored()};
    case ffn_down_exps:
      return {config.expert_width, width, config.stored()};
    case ffn_gate_shexp:
    case ffn_up_shexp:
      return {width, config.expert_width};
    case ffn_down_shexp:
      return {config.expert_width, width};
    case mtp_eh_proj:
      return {2 * width, width};
    case mtp_e_proj:
    case mtp_h_proj:
      return {width, width};
  }
  return {};
}

std::vector<TensorRole> layer_roles(std::uint32_t ratio, bool is_hash_routed) {
  std::vector<TensorRole> out;
  for (auto i = static_cast<std::size_t>(hc_attn_fn); i <= static_cast<std::size_t>(ffn_down_shexp);
       ++i) {
    const auto role = static_cast<TensorRole>(i);
    const bool is_compressor = role >= attn_compressor_ape && role <= attn_compressor_norm;
    const bool is_indexer = role >= indexer_q_b && role <= indexer_compressor_norm;
    if (is_compressor && ratio == 0) continue;
    if (is_indexer && ratio != 4) continue;
    if (role == ffn_gate_tid2eid && !is_hash_routed) continue;
    if (role == exp_probs_bias && is_hash_routed) continue;
    out.push_back(role);
  }
  return out;
}

std::vector<TensorSpec> main_tensors(const ModelConfig& config) {
  std::vector<TensorSpec> out;
  const auto add_global = [&](TensorRole role) {
    out.push_back({global_tensor_name(role), role, std::nullopt, role_dims(config, role, 0)});
  };
  add_global(token_embd);
  for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
    const std::uint32_t ratio = config.ratio(layer);
    for (const TensorRole role : layer_roles(ratio, config.is_hash_routed(layer))) {
      out.push_back({layer_tensor_name(layer, role), role, layer, role_dims(config, role, ratio),
                     role == exp_probs_bias});
    }
  }
  for (const TensorRole role :
       {output_hc_fn, output_hc_base, output_hc_scale, output_norm, output}) {
    add_global(role);
  }
  return out;
}

std::span<const Dtype> allowed_dtypes(TensorRole role) noexcept {
  // Position rows are added to activations, not multiplied: they are read like vectors.
  if (role == attn_compressor_ape || role == indexer_compressor_ape) return kVectorTypes;
  switch (role_traits(role).group) {
    case TensorGroup::vector:
      return kVectorTypes;
    case TensorGroup::table:
      return kTableTypes;
    case TensorGroup::expert_gate_up:
    case TensorGroup::expert_down:
      return kExpertTypes;
    default:
      return kMatrixTypes;
  }
}

}  // namespace ds4
