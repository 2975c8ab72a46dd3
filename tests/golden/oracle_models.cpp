#include "tests/golden/oracle_models.hpp"

#include <string>

namespace ds4::golden {
namespace {

// What both models share.
ModelConfig common(std::string_view name) {
  ModelConfig config;
  config.name = std::string(name);
  config.architecture = "deepseek4";
  config.naming = Naming::ds4;
  config.vocab = 512;
  config.context_length = 4096;
  config.streams = 4;
  return config;
}

ModelConfig oracle_a() {
  ModelConfig config = common("oracle-a");
  config.ratios = {0, 0, 4, 128, 4};
  config.width = 64;
  config.heads = 4;
  config.head_dim = 64;
  config.rot_dim = 16;
  config.q_rank = 32;
  config.output_groups = 2;
  config.output_rank = 32;
  config.window = 8;
  config.index_heads = 4;
  config.index_dim = 32;
  config.index_top_k = 3;
  config.experts = 8;
  config.experts_used = 2;
  config.expert_width = 32;
  config.hash_layers = 1;
  config.route_scale = 1.5F;
  config.swiglu_limit.assign(config.ratios.size(), 1.5F);
  config.sinkhorn_iterations = 20;
  config.hc_epsilon = 1e-6F;
  config.rms_epsilon = 1e-6F;
  config.rope_base = 10000.0F;
  config.compress_rope_base = 160000.0F;
  config.yarn_factor = 16.0F;
  config.yarn_beta_fast = 32.0F;
  config.yarn_beta_slow = 1.0F;
  config.yarn_original_context = 65536;
  return config;
}

ModelConfig oracle_b() {
  ModelConfig config = common("oracle-b");
  config.ratios = {0, 4, 128, 4, 128, 0};
  config.width = 128;
  config.heads = 8;
  config.head_dim = 128;
  config.rot_dim = 32;
  config.q_rank = 64;
  config.output_groups = 4;
  config.output_rank = 64;
  config.window = 16;
  config.index_heads = 8;
  config.index_dim = 64;
  config.index_top_k = 8;
  config.experts = 16;
  config.experts_used = 4;
  config.expert_width = 64;
  config.hash_layers = 2;
  config.route_scale = 2.5F;
  config.swiglu_limit.assign(config.ratios.size(), 2.0F);
  config.sinkhorn_iterations = 7;
  config.hc_epsilon = 1e-5F;
  config.rms_epsilon = 1e-5F;
  config.rope_base = 5000.0F;
  config.compress_rope_base = 40000.0F;
  config.yarn_factor = 8.0F;
  config.yarn_beta_fast = 16.0F;
  config.yarn_beta_slow = 2.0F;
  config.yarn_original_context = 512;
  return config;
}

}  // namespace

Result<SyntheticSpec> oracle_model(std::string_view name) {
  SyntheticSpec spec;
  if (name == "oracle-a") {
    spec.config = oracle_a();
    spec.seed = 41;
  } else if (name == "oracle-b") {
    spec.config = oracle_b();
    spec.seed = 42;
  } else {
    return fail(Errc::invalid_argument, "no oracle model is named ", name,
                "; there are oracle-a and oracle-b");
  }
  spec.config.layers = static_cast<std::uint32_t>(spec.config.ratios.size());
  spec.config.shared_swiglu_limit = spec.config.swiglu_limit;
  DS4_TRY(spec.types, TypeRecipe::parse("all=f32", spec.types));
  return spec;
}

}  // namespace ds4::golden
