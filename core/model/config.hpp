#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "format/gguf_reader.hpp"

namespace ds4 {

/// Which conventions a file follows. Tensor names of the main model are the same in both.
enum class Naming {
  ds4,    ///< swiglu limits as arrays, block_count without MTP, MTP in a file of its own
  llama,  ///< swiglu limits may be scalars, block_count may count MTP blocks inside the file
};

/// How a layer sees tokens beyond the window.
enum class LayerKind {
  window,           ///< ratio 0: the last `window` tokens only
  sparse,           ///< ratio 4: overlapping compressed rows, chosen by the indexer
  fully_compressed  ///< ratio 128: every finished compressed row
};

/// Every hyper-parameter of a DeepSeek V4 checkpoint, read from metadata. Nothing of it is compiled
/// in; symbols in brackets are those of the model description.
struct ModelConfig {
  std::string name;          ///< general.name, may be empty
  std::string architecture;  ///< "deepseek4"
  Naming naming = Naming::ds4;

  std::uint32_t layers = 0;          ///< main layers [L]
  std::uint32_t mtp_layers = 0;      ///< next-token-prediction blocks stored after them
  std::uint32_t width = 0;           ///< hidden width [D]
  std::uint32_t vocab = 0;           ///< rows of the embedding [V]
  std::uint64_t context_length = 0;  ///< trained positions; 0 when the file does not say

  std::uint32_t heads = 0;            ///< query heads [H]
  std::uint32_t head_dim = 0;         ///< key = value = latent width [Dh]
  std::uint32_t rot_dim = 0;          ///< last dims of a head that rotate [R]
  std::uint32_t q_rank = 0;           ///< low rank of queries [Rq]
  std::uint32_t output_groups = 0;    ///< [G]
  std::uint32_t output_rank = 0;      ///< rank per output group [Ro]
  std::uint32_t window = 0;           ///< raw rows a token sees, itself included [W]
  std::uint32_t index_heads = 0;      ///< [Hi]
  std::uint32_t index_dim = 0;        ///< [Di]
  std::uint32_t index_top_k = 0;      ///< compressed rows a sparse layer attends to [Ki]
  std::vector<std::uint32_t> ratios;  ///< per main layer: 0, 4 or 128

  std::uint32_t experts = 0;               ///< routed experts [E]
  std::uint32_t stored_experts = 0;        ///< physical experts of a layer, 0: all; see stored()
  std::uint32_t experts_used = 0;          ///< per token [K]
  std::uint32_t expert_width = 0;          ///< inner width, routed and shared [F]
  std::uint32_t hash_layers = 0;           ///< layers 0..hash_layers-1 route by token id [Lh]
  float route_scale = 0;                   ///< factor on normalised route weights
  std::vector<float> swiglu_limit;         ///< per main layer; <= 0 means no clamp
  std::vector<float> shared_swiglu_limit;  ///< the same for the shared expert

  std::uint32_t streams = 0;              ///< hyper-connection copies [C]
  std::uint32_t sinkhorn_iterations = 0;  ///< [S_it]
  float hc_epsilon = 0;
  float rms_epsilon = 0;

  float rope_base = 0;           ///< layers of ratio 0 [b0]
  float compress_rope_base = 0;  ///< layers of ratio 4 and 128 [b1]
  float yarn_factor = 0;
  float yarn_beta_fast = 0;
  float yarn_beta_slow = 0;
  std::uint64_t yarn_original_context = 0;

  /// Reads and validates. Each failure is one line that names the key, the value found and the
  /// range accepted. Errors: unsupported for another architecture, bad_file.
  static Result<ModelConfig> read(const GgufFile& file);

  /// Checks ranges only (not the tensors); read() calls it. `file` appears in errors.
  [[nodiscard]] Result<void> validate(std::string_view file) const;

  /// Rows of a hyper-connection matrix: (2 + C) * C.
  [[nodiscard]] std::uint32_t hc_mix() const noexcept { return (2 + streams) * streams; }
  /// Experts that a layer has weights of. Fewer than `experts` only in models made for
  /// measurements: expert id e then runs the weights of e mod stored().
  [[nodiscard]] std::uint32_t stored() const noexcept {
    return stored_experts == 0 ? experts : stored_experts;
  }
  [[nodiscard]] std::uint32_t heads_per_group() const noexcept { return heads / output_groups; }
  [[nodiscard]] std::uint32_t ratio(std::uint32_t layer) const noexcept { return ratios[layer]; }
  [[nodiscard]] LayerKind kind(std::uint32_t layer) const noexcept;
  [[nodiscard]] bool is_hash_routed(std::uint32_t layer) const noexcept {
    return layer < hash_layers;
  }
  /// One main layer as a model of its own, with the embedding and the head, without MTP.
  [[nodiscard]] ModelConfig single_layer(std::uint32_t layer) const;

 private:
  static Result<ModelConfig> read_all(const GgufFile& file);
};

/// Width multiplier of a compressor: 2 where windows overlap (ratio 4), else 1.
[[nodiscard]] constexpr std::uint32_t compress_factor(std::uint32_t ratio) noexcept {
  return ratio == 4 ? 2 : 1;
}

/// The rot_dim / 2 inverse frequencies of layers with this ratio, computed in double and rounded to
/// float: base rope_base without scaling for ratio 0, compress_rope_base with YaRN otherwise.
[[nodiscard]] std::vector<float> rope_frequencies(const ModelConfig& config, std::uint32_t ratio);

}  // namespace ds4
