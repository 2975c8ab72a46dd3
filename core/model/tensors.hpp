#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "format/dtype.hpp"
#include "model/config.hpp"

namespace ds4 {

/// What a tensor is for. Global roles first, then those of a layer, then those of an MTP block.
enum class TensorRole : std::uint8_t {
  token_embd,
  output_hc_fn,
  output_hc_base,
  output_hc_scale,
  output_norm,
  output,

  hc_attn_fn,
  hc_attn_scale,
  hc_attn_base,
  attn_norm,
  attn_q_a,
  attn_q_a_norm,
  attn_q_b,
  attn_kv,
  attn_kv_a_norm,
  attn_sinks,
  attn_output_a,
  attn_output_b,
  attn_compressor_ape,
  attn_compressor_kv,
  attn_compressor_gate,
  attn_compressor_norm,
  indexer_q_b,
  indexer_proj,
  indexer_compressor_ape,
  indexer_compressor_kv,
  indexer_compressor_gate,
  indexer_compressor_norm,
  hc_ffn_fn,
  hc_ffn_scale,
  hc_ffn_base,
  ffn_norm,
  ffn_gate_inp,
  ffn_gate_tid2eid,
  exp_probs_bias,
  ffn_gate_exps,
  ffn_up_exps,
  ffn_down_exps,
  ffn_gate_shexp,
  ffn_up_shexp,
  ffn_down_shexp,

  mtp_eh_proj,  // llama.cpp naming: e and h side by side
  mtp_e_proj,   // ds4 naming
  mtp_h_proj,   // ds4 naming
  mtp_enorm,
  mtp_hnorm,
  mtp_norm,
  mtp_hc_head_fn,
  mtp_hc_head_base,
  mtp_hc_head_scale,
  mtp_embed,
  mtp_head,
};
inline constexpr std::size_t kTensorRoles = static_cast<std::size_t>(TensorRole::mtp_head) + 1;

/// Which recipe entry decides the type of a role when a file is made or converted.
enum class TensorGroup : std::uint8_t {
  embedding,       ///< token_embd
  output,          ///< output
  attention,       ///< q_a, q_b, kv, output_a, output_b
  shared_expert,   ///< gate, up, down of the shared expert
  expert_gate_up,  ///< routed gate and up
  expert_down,     ///< routed down
  side,            ///< hyper-connection fn, router, compressors, ape, indexer
  vector,          ///< norms, sinks, biases, bases, scales: always F32
  table,           ///< tid2eid: always I32
  mtp,             ///< projections of an MTP block
};

/// The facts about a role that do not depend on a model.
struct RoleTraits {
  TensorRole role;
  std::string_view suffix;  ///< "attn_q_a.weight"; global roles: the whole name
  TensorGroup group;
};

[[nodiscard]] const RoleTraits& role_traits(TensorRole role) noexcept;
[[nodiscard]] constexpr bool is_global(TensorRole role) noexcept {
  return role <= TensorRole::output;
}
[[nodiscard]] constexpr bool is_mtp(TensorRole role) noexcept {
  return role >= TensorRole::mtp_eh_proj;
}
/// The roles of routed experts, whose tensors have one matrix an expert.
inline constexpr TensorRole kExpertRoles[] = {TensorRole::ffn_gate_exps, TensorRole::ffn_up_exps,
                                              TensorRole::ffn_down_exps};
[[nodiscard]] constexpr bool holds_experts(TensorRole role) noexcept {
  return role >= TensorRole::ffn_gate_exps && role <= TensorRole::ffn_down_exps;
}

/// "output.weight"; only for global roles.
[[nodiscard]] std::string global_tensor_name(TensorRole role);
/// "blk.3.attn_kv.weight". MTP roles give the llama.cpp form "blk.43.nextn.enorm.weight".
[[nodiscard]] std::string layer_tensor_name(std::uint32_t layer, TensorRole role);
/// The form of a ds4 MTP file: "mtp.0.enorm.weight", "mtp.0.attn_kv.weight".
[[nodiscard]] std::string mtp_tensor_name(std::uint32_t stage, TensorRole role);

/// A tensor name taken apart.
struct TensorKey {
  TensorRole role;
  std::optional<std::uint32_t> layer;  ///< the N of "blk.N." or "mtp.N."; none for global roles
  bool is_mtp_file = false;            ///< written with the "mtp." prefix
};
/// Nothing for a name that the model does not use.
[[nodiscard]] std::optional<TensorKey> parse_tensor_name(std::string_view name);

/// What a model requires of one tensor.
struct TensorSpec {
  std::string name;
  TensorRole role;
  std::optional<std::uint32_t> layer;
  std::vector<std::uint64_t> dims;  ///< file order: dims[0] contiguous (input width)
  bool is_optional = false;         ///< selection bias; absent means zero
};

/// The dims of a role in a model; `ratio` is that of the layer (ignored by roles without one).
[[nodiscard]] std::vector<std::uint64_t> role_dims(const ModelConfig& config, TensorRole role,
                                                   std::uint32_t ratio);

/// Every tensor of the main model in the order of the ds4 files: embedding, layers, head.
[[nodiscard]] std::vector<TensorSpec> main_tensors(const ModelConfig& config);

/// The roles a layer has: by its ratio and by whether it routes by hash.
[[nodiscard]] std::vector<TensorRole> layer_roles(std::uint32_t ratio, bool is_hash_routed);

/// The element types that a role may be stored in.
[[nodiscard]] std::span<const Dtype> allowed_dtypes(TensorRole role) noexcept;

}  // namespace ds4
