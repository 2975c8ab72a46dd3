#include "quantize/metadata.hpp"

#include "model/config_keys.hpp"

namespace ds4::quantize {
namespace {

void add_attention(GgufHeader& header, const ModelConfig& model) {
  header.add_u32(keys::kHeads, model.heads);
  header.add_u32(keys::kKvHeads, 1);
  header.add_u32(keys::kKeyLength, model.head_dim);
  header.add_u32(keys::kValueLength, model.head_dim);
  header.add_u32(keys::kQRank, model.q_rank);
  header.add_u32(keys::kOutputRank, model.output_rank);
  header.add_u32(keys::kOutputGroups, model.output_groups);
  header.add_u32(keys::kWindow, model.window);
  header.add_u32(keys::kIndexHeads, model.index_heads);
  header.add_u32(keys::kIndexDim, model.index_dim);
  header.add_u32(keys::kIndexTopK, model.index_top_k);
  header.add_u32_array(keys::kRatios, model.ratios);
  header.add_f32(keys::kRmsEpsilon, model.rms_epsilon);
}

void add_experts(GgufHeader& header, const ModelConfig& model) {
  header.add_u32(keys::kExperts, model.experts);
  header.add_u32(keys::kExpertsUsed, model.experts_used);
  header.add_u32(keys::kSharedExperts, 1);
  header.add_u32(keys::kExpertWidth, model.expert_width);
  header.add_u32(keys::kHashLayers, model.hash_layers);
  header.add_f32(keys::kRouteScale, model.route_scale);
  header.add_bool(keys::kRouteNorm, true);
  header.add_u32(keys::kGatingFunction, keys::kSqrtSoftplus);
  header.add_f32_array(keys::kSwigluLimit, model.swiglu_limit);
  header.add_f32_array(keys::kSharedSwigluLimit, model.shared_swiglu_limit);
}

void add_rope_and_streams(GgufHeader& header, const ModelConfig& model) {
  header.add_u32(keys::kRotDim, model.rot_dim);
  header.add_f32(keys::kRopeBase, model.rope_base);
  header.add_f32(keys::kCompressRopeBase, model.compress_rope_base);
  header.add_string(keys::kRopeScaling, "yarn");
  header.add_f32(keys::kYarnFactor, model.yarn_factor);
  header.add_f32(keys::kYarnBetaFast, model.yarn_beta_fast);
  header.add_f32(keys::kYarnBetaSlow, model.yarn_beta_slow);
  header.add_u64(keys::kYarnContext, model.yarn_original_context);
  header.add_u32(keys::kStreams, model.streams);
  header.add_u32(keys::kSinkhorn, model.sinkhorn_iterations);
  header.add_f32(keys::kHcEpsilon, model.hc_epsilon);
}

void add_tokens(GgufHeader& header, const HfConfig& config, const TokenTable& table) {
  header.add_string("tokenizer.ggml.model", "gpt2");
  header.add_string("tokenizer.ggml.pre", "joyai-llm");
  header.add_string_array(keys::kTokens, table.tokens);
  header.add_i32_array("tokenizer.ggml.token_type", table.types);
  header.add_string_array("tokenizer.ggml.merges", table.merges);
  header.add_u32("tokenizer.ggml.bos_token_id", config.bos);
  header.add_u32("tokenizer.ggml.eos_token_id", config.eos);
  header.add_u32("tokenizer.ggml.padding_token_id", config.eos);
  header.add_bool("tokenizer.ggml.add_bos_token", false);
}

}  // namespace

void add_metadata(GgufHeader& header, const HfConfig& config, std::string_view name,
                  const std::optional<TokenTable>& tokens) {
  const ModelConfig& model = config.model;
  header.add_string(keys::kArchitecture, keys::kArchitectureName);
  header.add_string(keys::kName, name);
  header.add_string("general.quantized_by", "ds4-quantize");
  header.add_u32("general.quantization_version", 2);
  header.add_u32(keys::kLayers, model.layers);
  header.add_u32(keys::kWidth, model.width);
  header.add_u32(keys::kVocab, model.vocab);
  if (model.context_length != 0) header.add_u64(keys::kContext, model.context_length);
  add_attention(header, model);
  add_experts(header, model);
  add_rope_and_streams(header, model);
  if (tokens) add_tokens(header, config, *tokens);
}

}  // namespace ds4::quantize
