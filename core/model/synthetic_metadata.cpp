#include "model/config_keys.hpp"
#include "model/synthetic_parts.hpp"

namespace ds4::synthetic {
namespace {

void add_counts(GgufHeader& header, const ModelConfig& config) {
  const std::pair<std::string_view, std::uint32_t> values[] = {
      {keys::kLayers, config.layers + config.mtp_layers},
      {keys::kWidth, config.width},
      {keys::kHeads, config.heads},
      {keys::kKvHeads, 1},
      {keys::kKeyLength, config.head_dim},
      {keys::kValueLength, config.head_dim},
      {keys::kRotDim, config.rot_dim},
      {keys::kQRank, config.q_rank},
      {keys::kOutputRank, config.output_rank},
      {keys::kOutputGroups, config.output_groups},
      {keys::kWindow, config.window},
      {keys::kIndexHeads, config.index_heads},
      {keys::kIndexDim, config.index_dim},
      {keys::kIndexTopK, config.index_top_k},
      {keys::kExperts, config.experts},
      {keys::kExpertsUsed, config.experts_used},
      {keys::kSharedExperts, 1},
      {keys::kExpertWidth, config.expert_width},
      {keys::kHashLayers, config.hash_layers},
      {keys::kGatingFunction, keys::kSqrtSoftplus},
      {keys::kStreams, config.streams},
      {keys::kSinkhorn, config.sinkhorn_iterations},
  };
  for (const auto& [key, value] : values) header.add_u32(key, value);
  if (config.stored() != config.experts) header.add_u32(keys::kStoredExperts, config.stored());
}

void add_reals(GgufHeader& header, const ModelConfig& config) {
  const std::pair<std::string_view, float> values[] = {
      {keys::kRmsEpsilon, config.rms_epsilon},
      {keys::kHcEpsilon, config.hc_epsilon},
      {keys::kRouteScale, config.route_scale},
      {keys::kRopeBase, config.rope_base},
      {keys::kCompressRopeBase, config.compress_rope_base},
      {keys::kYarnFactor, config.yarn_factor},
      {keys::kYarnBetaFast, config.yarn_beta_fast},
      {keys::kYarnBetaSlow, config.yarn_beta_slow},
  };
  for (const auto& [key, value] : values) header.add_f32(key, value);
  header.add_bool(keys::kRouteNorm, true);
  header.add_string(keys::kRopeScaling, "yarn");
}

// Where the two conventions differ.
void add_naming(GgufHeader& header, const ModelConfig& config) {
  std::vector<std::uint32_t> ratios = config.ratios;
  ratios.resize(config.layers + config.mtp_layers, 0);
  if (config.naming == Naming::llama) {
    header.add_u32(keys::kMtpLayers, config.mtp_layers);
    header.add_f32(keys::kSwigluLimit, config.swiglu_limit[0]);
    header.add_u32(keys::kYarnContext, static_cast<std::uint32_t>(config.yarn_original_context));
    header.add_u32(keys::kExpertGroups, 0);
    header.add_u32_array(keys::kRatios, ratios);
    return;
  }
  header.add_u32(keys::kVocab, config.vocab);
  header.add_f32_array(keys::kSwigluLimit, config.swiglu_limit);
  header.add_u64(keys::kYarnContext, config.yarn_original_context);
  const std::vector<std::int32_t> signed_ratios(ratios.begin(), ratios.end());
  header.add_i32_array(keys::kRatios, signed_ratios);
}

Result<void> add_tokenizer(GgufHeader& header, const ModelConfig& config) {
  DS4_TRY(const Vocabulary vocabulary, make_vocabulary(config.vocab));
  header.add_string("tokenizer.ggml.model", "gpt2");
  header.add_string("tokenizer.ggml.pre",
                    config.naming == Naming::llama ? "deepseek-v3" : "joyai-llm");
  header.add_string_array(keys::kTokens, vocabulary.tokens);
  header.add_i32_array("tokenizer.ggml.token_type", vocabulary.types);
  header.add_string_array("tokenizer.ggml.merges", vocabulary.merges);
  header.add_u32("tokenizer.ggml.bos_token_id", 0);
  header.add_u32("tokenizer.ggml.eos_token_id", 1);
  header.add_u32("tokenizer.ggml.padding_token_id", 1);
  header.add_bool("tokenizer.ggml.add_bos_token", false);
  return {};
}

}  // namespace

Result<void> add_metadata(GgufHeader& header, const SyntheticSpec& spec,
                          const std::string& description) {
  header.add_string(keys::kArchitecture, keys::kArchitectureName);
  header.add_string(keys::kName, spec.config.name);
  if (!description.empty()) header.add_string(keys::kDescription, description);
  header.add_u64(keys::kSyntheticSeed, spec.seed);
  header.add_u32(keys::kContext, static_cast<std::uint32_t>(spec.config.context_length));
  add_counts(header, spec.config);
  add_reals(header, spec.config);
  add_naming(header, spec.config);
  return add_tokenizer(header, spec.config);
}

}  // namespace ds4::synthetic
