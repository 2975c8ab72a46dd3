#include <algorithm>

#include "model/config_keys.hpp"
#include "model/synthetic.hpp"

namespace ds4 {
namespace {

// What every shape shares; the released values.
ModelConfig common_config() {
  ModelConfig c;
  c.architecture = keys::kArchitectureName;
  c.context_length = 1048576;
  c.route_scale = 1.5F;
  c.streams = 4;
  c.sinkhorn_iterations = 20;
  c.hc_epsilon = 1e-6F;
  c.rms_epsilon = 1e-6F;
  c.rope_base = 10000;
  c.compress_rope_base = 160000;
  c.yarn_factor = 16;
  c.yarn_beta_fast = 32;
  c.yarn_beta_slow = 1;
  c.yarn_original_context = 65536;
  return c;
}

void set_pattern(ModelConfig& c, std::vector<std::uint32_t> ratios) {
  c.layers = static_cast<std::uint32_t>(ratios.size());
  c.ratios = std::move(ratios);
  c.swiglu_limit.assign(c.layers, 10.0F);
  c.shared_swiglu_limit = c.swiglu_limit;
}

// About 0.3 million multiply-adds a token: hyper-connections, compressors and the output dominate.
ModelConfig micro_config() {
  ModelConfig c = common_config();
  set_pattern(c, {0, 4, 128, 4});
  c.width = 64;
  c.vocab = 512;
  c.heads = 4;
  c.head_dim = 32;
  c.rot_dim = 8;
  c.q_rank = 32;
  c.output_groups = 2;
  c.output_rank = 16;
  c.window = 8;
  c.index_heads = 2;
  c.index_dim = 32;
  c.index_top_k = 3;
  c.experts = 8;
  c.experts_used = 2;
  c.expert_width = 32;
  c.hash_layers = 1;
  return c;
}

// Every row that may be quantised is a multiple of 256 wide.
ModelConfig tiny_config() {
  ModelConfig c = common_config();
  set_pattern(c, {0, 0, 4, 128, 4});
  c.width = 256;
  c.vocab = 512;
  c.heads = 8;
  c.head_dim = 64;
  c.rot_dim = 16;
  c.q_rank = 256;
  c.output_groups = 2;
  c.output_rank = 128;
  c.window = 8;
  c.index_heads = 4;
  c.index_dim = 32;
  c.index_top_k = 3;
  c.experts = 8;
  c.experts_used = 2;
  c.expert_width = 256;
  c.hash_layers = 1;
  return c;
}

// About 17 million parameters, as small as a model gets that can be taught to talk: true widths of
// heads, window and indexer, few of everything else.
ModelConfig pocket_config() {
  ModelConfig c = common_config();
  set_pattern(c, {0, 0, 4, 128, 4});
  c.width = 256;
  c.vocab = 4096;
  c.heads = 4;
  c.head_dim = 512;
  c.rot_dim = 64;
  c.q_rank = 128;
  c.output_groups = 2;
  c.output_rank = 128;
  c.window = 128;
  c.index_heads = 4;
  c.index_dim = 128;
  c.index_top_k = 64;
  c.experts = 8;
  c.experts_used = 2;
  c.expert_width = 256;
  c.hash_layers = 2;
  return c;
}

ModelConfig flash_config() {
  ModelConfig c = common_config();
  std::vector<std::uint32_t> ratios(43);
  for (std::uint32_t i = 0; i < 43; ++i) ratios[i] = i < 2 ? 0 : (i % 2 == 0 ? 4 : 128);
  set_pattern(c, std::move(ratios));
  c.width = 4096;
  c.vocab = 129280;
  c.heads = 64;
  c.head_dim = 512;
  c.rot_dim = 64;
  c.q_rank = 1024;
  c.output_groups = 8;
  c.output_rank = 1024;
  c.window = 128;
  c.index_heads = 64;
  c.index_dim = 128;
  c.index_top_k = 512;
  c.experts = 256;
  c.experts_used = 6;
  c.expert_width = 2048;
  c.hash_layers = 3;
  return c;
}

ModelConfig pro_config() {
  ModelConfig c = flash_config();
  std::vector<std::uint32_t> ratios(61);
  for (std::uint32_t i = 0; i < 61; ++i) ratios[i] = i < 2 || i % 2 != 0 ? 128 : 4;
  set_pattern(c, std::move(ratios));
  c.width = 7168;
  c.heads = 128;
  c.q_rank = 1536;
  c.output_groups = 16;
  c.index_top_k = 1024;
  c.experts = 384;
  c.expert_width = 3072;
  c.route_scale = 2.5F;
  return c;
}

// The file of the q2 recipe that is published for Flash. Its tensors take 86,714,777,664 bytes; the
// rest is a head of which only the required keys are known.
constexpr std::uint64_t kFlashFileBytes = 86'718'242'912;

constexpr std::string_view kTinyPrefix = "tiny-";
constexpr std::string_view kTinyTypes[] = {"f32",  "f16",  "bf16", "q8_0", "q4_0",    "q2_k",
                                           "q3_k", "q4_k", "q5_k", "q6_k", "iq2_xxs", "mxfp4"};

Result<void> set_group(TypeRecipe& recipe, std::string_view group, std::string_view value) {
  const std::size_t slash = value.find('/');
  if (slash != std::string_view::npos && group != "experts") {
    return fail(Errc::invalid_argument, "only experts take two types, '", group, "=", value,
                "' does not");
  }
  DS4_TRY(const Dtype first, parse_dtype(value.substr(0, slash)));
  Dtype second = first;
  if (slash != std::string_view::npos) {
    DS4_TRY(second, parse_dtype(value.substr(slash + 1)));
  }
  for (const Dtype dtype : {first, second}) {
    if (is_loadable(dtype) && dtype != Dtype::i32) continue;
    return fail(Errc::invalid_argument, dtype_name(dtype), " cannot be written ('", group, "=",
                value, "')");
  }
  const bool is_all = group == "all";
  bool is_known = is_all;
  const auto set = [&](std::string_view name, Dtype& target, Dtype dtype) {
    if (!is_all && group != name) return;
    target = dtype;
    is_known = true;
  };
  set("embd", recipe.embedding, first);
  set("output", recipe.output, first);
  set("attn", recipe.attention, first);
  set("shexp", recipe.shared_expert, first);
  set("side", recipe.side, first);
  set("experts", recipe.expert_gate_up, first);
  set("experts", recipe.expert_down, second);
  if (is_known) return {};
  return fail(Errc::invalid_argument, "unknown group '", group,
              "'; known are all, embd, output, attn, shexp, experts, side");
}

}  // namespace

Dtype TypeRecipe::of(TensorRole role) const noexcept {
  // Position rows are short and added to activations; they stay plain.
  const bool is_position_row =
      role == TensorRole::attn_compressor_ape || role == TensorRole::indexer_compressor_ape;
  const bool is_plain = side == Dtype::f32 || side == Dtype::f16 || side == Dtype::bf16;
  if (is_position_row && !is_plain) return Dtype::f16;
  switch (role_traits(role).group) {
    case TensorGroup::embedding:
      return embedding;
    case TensorGroup::output:
      return output;
    case TensorGroup::attention:
    case TensorGroup::mtp:
      return attention;
    case TensorGroup::shared_expert:
      return shared_expert;
    case TensorGroup::expert_gate_up:
      return expert_gate_up;
    case TensorGroup::expert_down:
      return expert_down;
    case TensorGroup::side:
      return side;
    case TensorGroup::vector:
      return Dtype::f32;
    case TensorGroup::table:
      return Dtype::i32;
  }
  return Dtype::f32;
}

Result<TypeRecipe> TypeRecipe::parse(std::string_view text, const TypeRecipe& base) {
  TypeRecipe out = base;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view entry = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos) {
      return fail(Errc::invalid_argument, "'", entry, "' is not GROUP=TYPE");
    }
    DS4_CHECK(set_group(out, entry.substr(0, equals), entry.substr(equals + 1)));
  }
  return out;
}

std::vector<std::string> synthetic_shapes() {
  std::vector<std::string> out = {"micro", "tiny", "tiny-window"};
  for (const std::string_view type : kTinyTypes) {
    out.push_back(std::string(kTinyPrefix).append(type));
  }
  out.insert(out.end(), {"pocket", "flash", "pro"});
  return out;
}

Result<SyntheticSpec> SyntheticSpec::make(std::string_view shape) {
  SyntheticSpec spec;
  if (shape == "micro") {
    spec.config = micro_config();
  } else if (shape == "tiny") {
    spec.config = tiny_config();
  } else if (shape == "tiny-window") {
    spec.config = tiny_config();
    set_pattern(spec.config, {0, 0});
  } else if (shape.starts_with(kTinyPrefix) &&
             std::find(std::begin(kTinyTypes), std::end(kTinyTypes),
                       shape.substr(kTinyPrefix.size())) != std::end(kTinyTypes)) {
    spec.config = tiny_config();
    DS4_TRY(spec.types.expert_gate_up, parse_dtype(shape.substr(kTinyPrefix.size())));
    spec.types.expert_down = spec.types.expert_gate_up;
  } else if (shape == "pocket") {
    spec.config = pocket_config();
    spec.types.expert_gate_up = spec.types.expert_down = Dtype::q8_0;
  } else if (shape == "flash" || shape == "pro") {
    spec.config = shape == "flash" ? flash_config() : pro_config();
    spec.types.expert_gate_up = Dtype::iq2_xxs;
    spec.types.expert_down = Dtype::q2_k;
    spec.fill = SyntheticFill::blocks;
    if (shape == "flash") spec.file_bytes = kFlashFileBytes;
  } else {
    std::string known;
    for (const std::string& name : synthetic_shapes()) {
      known.append(known.empty() ? "" : ", ").append(name);
    }
    return fail(Errc::invalid_argument, "unknown shape '", shape, "'; known are ", known);
  }
  spec.config.name = "synthetic " + std::string(shape);
  return spec;
}

void SyntheticSpec::set_layers(std::uint32_t count) {
  std::vector<std::uint32_t> ratios = config.ratios;
  ratios.resize(std::min<std::size_t>(ratios.size(), count));
  // Beyond the shape the last two layers alternate.
  while (ratios.size() < count) {
    const std::size_t n = config.ratios.size();
    ratios.push_back(n < 2 ? config.ratios[0] : ratios[ratios.size() - 2]);
  }
  set_ratios(std::move(ratios));
}

void SyntheticSpec::set_ratios(std::vector<std::uint32_t> ratios) {
  set_pattern(config, std::move(ratios));
  config.hash_layers = std::min(config.hash_layers, config.layers);
}

}  // namespace ds4
