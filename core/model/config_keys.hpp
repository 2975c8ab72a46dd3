#pragma once

#include <string_view>

/// Metadata keys of the architecture, shared by the reader and by writers.
namespace ds4::keys {

inline constexpr std::string_view kArchitectureName = "deepseek4";

inline constexpr std::string_view kArchitecture = "general.architecture";
/// Ours: the seed of a model of random weights; it makes the fingerprints of two seeds differ.
inline constexpr std::string_view kSyntheticSeed = "ds4.synthetic.seed";
inline constexpr std::string_view kDescription = "general.description";
inline constexpr std::string_view kName = "general.name";
inline constexpr std::string_view kLayers = "deepseek4.block_count";
inline constexpr std::string_view kMtpLayers = "deepseek4.nextn_predict_layers";
inline constexpr std::string_view kWidth = "deepseek4.embedding_length";
inline constexpr std::string_view kVocab = "deepseek4.vocab_size";
inline constexpr std::string_view kContext = "deepseek4.context_length";
inline constexpr std::string_view kHeads = "deepseek4.attention.head_count";
inline constexpr std::string_view kKvHeads = "deepseek4.attention.head_count_kv";
inline constexpr std::string_view kKeyLength = "deepseek4.attention.key_length";
inline constexpr std::string_view kValueLength = "deepseek4.attention.value_length";
inline constexpr std::string_view kRotDim = "deepseek4.rope.dimension_count";
inline constexpr std::string_view kQRank = "deepseek4.attention.q_lora_rank";
inline constexpr std::string_view kOutputRank = "deepseek4.attention.output_lora_rank";
inline constexpr std::string_view kOutputGroups = "deepseek4.attention.output_group_count";
inline constexpr std::string_view kWindow = "deepseek4.attention.sliding_window";
inline constexpr std::string_view kIndexHeads = "deepseek4.attention.indexer.head_count";
inline constexpr std::string_view kIndexDim = "deepseek4.attention.indexer.key_length";
inline constexpr std::string_view kIndexTopK = "deepseek4.attention.indexer.top_k";
inline constexpr std::string_view kRatios = "deepseek4.attention.compress_ratios";
inline constexpr std::string_view kRmsEpsilon = "deepseek4.attention.layer_norm_rms_epsilon";
inline constexpr std::string_view kExperts = "deepseek4.expert_count";
/// Ours: how many experts a layer stores, where fewer than it routes to stand for all of them.
inline constexpr std::string_view kStoredExperts = "ds4.stored_expert_count";
inline constexpr std::string_view kExpertsUsed = "deepseek4.expert_used_count";
inline constexpr std::string_view kSharedExperts = "deepseek4.expert_shared_count";
inline constexpr std::string_view kExpertWidth = "deepseek4.expert_feed_forward_length";
inline constexpr std::string_view kExpertGroups = "deepseek4.expert_group_count";
inline constexpr std::string_view kExpertGroupsUsed = "deepseek4.expert_group_used_count";
inline constexpr std::string_view kHashLayers = "deepseek4.hash_layer_count";
inline constexpr std::string_view kRouteScale = "deepseek4.expert_weights_scale";
inline constexpr std::string_view kRouteNorm = "deepseek4.expert_weights_norm";
inline constexpr std::string_view kGatingFunction = "deepseek4.expert_gating_func";
inline constexpr std::string_view kSwigluLimit = "deepseek4.swiglu_clamp_exp";
inline constexpr std::string_view kSharedSwigluLimit = "deepseek4.swiglu_clamp_shexp";
inline constexpr std::string_view kStreams = "deepseek4.hyper_connection.count";
inline constexpr std::string_view kSinkhorn = "deepseek4.hyper_connection.sinkhorn_iterations";
inline constexpr std::string_view kHcEpsilon = "deepseek4.hyper_connection.epsilon";
inline constexpr std::string_view kRopeBase = "deepseek4.rope.freq_base";
inline constexpr std::string_view kCompressRopeBase = "deepseek4.attention.compress_rope_freq_base";
inline constexpr std::string_view kRopeScaling = "deepseek4.rope.scaling.type";
inline constexpr std::string_view kYarnFactor = "deepseek4.rope.scaling.factor";
inline constexpr std::string_view kYarnBetaFast = "deepseek4.rope.scaling.yarn_beta_fast";
inline constexpr std::string_view kYarnBetaSlow = "deepseek4.rope.scaling.yarn_beta_slow";
inline constexpr std::string_view kYarnContext = "deepseek4.rope.scaling.original_context_length";
inline constexpr std::string_view kTokens = "tokenizer.ggml.tokens";

/// The router score function this architecture uses: sqrt(softplus).
inline constexpr unsigned kSqrtSoftplus = 4;

}  // namespace ds4::keys
