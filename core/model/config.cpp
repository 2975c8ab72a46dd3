#include "model/config.hpp"

#include <bit>
#include <cmath>
#include <limits>
#include <optional>

#include "format/shown.hpp"
#include "model/config_keys.hpp"
#include "model/tensors.hpp"

namespace ds4 {
namespace {

// Counts travel as signed 32-bit integers through the plan and the plugin ABI.
constexpr std::uint32_t kMaxCount = std::numeric_limits<std::int32_t>::max();
constexpr std::uint32_t kMaxStreams = 16;
// Far beyond where the iteration has converged; a larger count would only stall each token.
constexpr std::uint32_t kMaxSinkhorn = 1000;

/// One line per broken rule: file, key, what was found, what is accepted.
template <class Value>
Error broken(std::string_view file, std::string_view key, const Value& found,
             std::string_view accepted) {
  return fail(Errc::bad_file, file, ": key '", key, "' is ", found, ", accepted is ", accepted);
}

Result<void> check_count(std::string_view file, std::string_view key, std::uint32_t value,
                         std::uint32_t most = kMaxCount) {
  if (value >= 1 && value <= most) return {};
  return broken(file, key, value, "1.." + std::to_string(most));
}

Result<void> check_above(std::string_view file, std::string_view key, float value, float least,
                         bool is_inclusive) {
  const bool is_good = std::isfinite(value) && (is_inclusive ? value >= least : value > least);
  if (is_good) return {};
  std::ostringstream range;
  range << "a finite number " << (is_inclusive ? ">= " : "> ") << least;
  return broken(file, key, value, range.str());
}

// One value per layer, from an array of at least that many or from a scalar for all.
Result<std::vector<float>> read_limits(const GgufFile& file, std::string_view key,
                                       std::uint32_t layers) {
  const GgufEntry* entry = file.find(key);
  if (entry != nullptr && entry->type != GgufType::array) {
    DS4_TRY(const float limit, file.f32(key));
    return std::vector<float>(layers, limit);
  }
  DS4_TRY(std::vector<float> limits, file.f32_array(key));
  if (limits.size() < layers) {
    return broken(file.name(), key, std::to_string(limits.size()) + " values",
                  "one per layer, at least " + std::to_string(layers));
  }
  limits.resize(layers);
  return limits;
}

Result<void> read_attention(const GgufFile& file, ModelConfig& out) {
  DS4_TRY(out.heads, file.u32(keys::kHeads));
  DS4_TRY(const auto kv_heads, file.u32(keys::kKvHeads));
  if (kv_heads != 1) return broken(file.name(), keys::kKvHeads, kv_heads, "1");
  DS4_TRY(out.head_dim, file.u32(keys::kKeyLength));
  DS4_TRY(const auto value_length, file.u32(keys::kValueLength));
  if (value_length != out.head_dim) {
    return broken(file.name(), keys::kValueLength, value_length,
                  "the key length " + std::to_string(out.head_dim));
  }
  DS4_TRY(out.rot_dim, file.u32(keys::kRotDim));
  DS4_TRY(out.q_rank, file.u32(keys::kQRank));
  DS4_TRY(out.output_rank, file.u32(keys::kOutputRank));
  DS4_TRY(out.output_groups, file.u32(keys::kOutputGroups));
  DS4_TRY(out.window, file.u32(keys::kWindow));
  DS4_TRY(out.index_heads, file.u32(keys::kIndexHeads));
  DS4_TRY(out.index_dim, file.u32(keys::kIndexDim));
  DS4_TRY(out.index_top_k, file.u32(keys::kIndexTopK));
  DS4_TRY(out.rms_epsilon, file.f32(keys::kRmsEpsilon));
  DS4_TRY(out.ratios, file.u32_array(keys::kRatios));
  if (out.ratios.size() < out.layers) {
    return broken(file.name(), keys::kRatios, std::to_string(out.ratios.size()) + " values",
                  "one per layer, at least " + std::to_string(out.layers));
  }
  out.ratios.resize(out.layers);
  return {};
}

Result<void> read_experts(const GgufFile& file, ModelConfig& out) {
  DS4_TRY(out.experts, file.u32(keys::kExperts));
  DS4_TRY(out.experts_used, file.u32(keys::kExpertsUsed));
  if (file.find(keys::kStoredExperts) != nullptr) {
    DS4_TRY(out.stored_experts, file.u32(keys::kStoredExperts));
    DS4_CHECK(check_count(file.name(), keys::kStoredExperts, out.stored_experts));
  }
  DS4_TRY(out.expert_width, file.u32(keys::kExpertWidth));
  DS4_TRY(out.hash_layers, file.u32(keys::kHashLayers));
  DS4_TRY(const auto shared, file.u32(keys::kSharedExperts));
  if (shared != 1) return broken(file.name(), keys::kSharedExperts, shared, "1");
  for (const std::string_view key : {keys::kExpertGroups, keys::kExpertGroupsUsed}) {
    if (file.find(key) == nullptr) continue;
    DS4_TRY(const auto groups, file.u32(key));
    if (groups != 0) return broken(file.name(), key, groups, "0 (there are no expert groups)");
  }
  if (file.find(keys::kGatingFunction) != nullptr) {
    DS4_TRY(const auto function, file.u32(keys::kGatingFunction));
    if (function != keys::kSqrtSoftplus) {
      return broken(file.name(), keys::kGatingFunction, function, "4 (sqrt of softplus)");
    }
  }
  DS4_TRY(const bool is_normalised, file.boolean(keys::kRouteNorm));
  if (!is_normalised) return broken(file.name(), keys::kRouteNorm, "false", "true");
  DS4_TRY(out.route_scale, file.f32(keys::kRouteScale));
  DS4_TRY(out.swiglu_limit, read_limits(file, keys::kSwigluLimit, out.layers));
  out.shared_swiglu_limit = out.swiglu_limit;
  if (file.find(keys::kSharedSwigluLimit) != nullptr) {
    DS4_TRY(out.shared_swiglu_limit, read_limits(file, keys::kSharedSwigluLimit, out.layers));
  }
  return {};
}

Result<void> read_streams_and_rope(const GgufFile& file, ModelConfig& out) {
  DS4_TRY(out.streams, file.u32(keys::kStreams));
  DS4_TRY(out.sinkhorn_iterations, file.u32(keys::kSinkhorn));
  DS4_TRY(out.hc_epsilon, file.f32(keys::kHcEpsilon));
  DS4_TRY(out.rope_base, file.f32(keys::kRopeBase));
  DS4_TRY(out.compress_rope_base, file.f32(keys::kCompressRopeBase));
  DS4_TRY(out.yarn_factor, file.f32(keys::kYarnFactor));
  DS4_TRY(out.yarn_beta_fast, file.f32(keys::kYarnBetaFast));
  DS4_TRY(out.yarn_beta_slow, file.f32(keys::kYarnBetaSlow));
  DS4_TRY(out.yarn_original_context, file.u64(keys::kYarnContext));
  return {};
}

// Row lengths that are products of counts are counts themselves.
Result<void> check_products(std::string_view file, const ModelConfig& config) {
  struct Factor {
    std::string_view key;  // empty: a constant
    std::uint64_t value;
  };
  const Factor products[][2] = {
      {{{}, 4}, {keys::kKeyLength, config.head_dim}},
      {{{}, 4}, {keys::kIndexDim, config.index_dim}},
      {{keys::kStreams, config.streams}, {keys::kWidth, config.width}},
      {{keys::kHeads, config.heads}, {keys::kKeyLength, config.head_dim}},
      {{keys::kIndexHeads, config.index_heads}, {keys::kIndexDim, config.index_dim}},
      {{keys::kOutputGroups, config.output_groups}, {keys::kOutputRank, config.output_rank}},
  };
  const auto text = [](const Factor& factor) {
    const std::string number = std::to_string(factor.value);
    return factor.key.empty() ? number : "key '" + std::string(factor.key) + "' = " + number;
  };
  for (const auto& [left, right] : products) {
    if (left.value * right.value <= kMaxCount) continue;
    return fail(Errc::bad_file, file, ": ", text(left), " times ", text(right), " is ",
                left.value * right.value, ", accepted is at most ", kMaxCount);
  }
  return {};
}

// llama.cpp counts blocks of next-token prediction as layers when the file holds them.
Result<void> read_layer_counts(const GgufFile& file, ModelConfig& out) {
  DS4_TRY(out.layers, file.u32(keys::kLayers));
  DS4_CHECK(check_count(file.name(), keys::kLayers, out.layers));
  // Every layer has tensors of its own; what is kept per layer is only made once this holds.
  if (out.layers > file.tensors().size()) {
    return broken(file.name(), keys::kLayers, out.layers,
                  "at most the " + std::to_string(file.tensors().size()) + " tensors of the file");
  }
  if (file.find(keys::kMtpLayers) == nullptr) return {};
  DS4_TRY(const auto mtp, file.u32(keys::kMtpLayers));
  if (mtp >= out.layers) {
    return broken(file.name(), keys::kMtpLayers, mtp,
                  "0.." + std::to_string(out.layers - 1) + " (fewer than the blocks)");
  }
  const std::uint32_t first = out.layers - mtp;
  const std::string probe = layer_tensor_name(first, TensorRole::mtp_eh_proj);
  if (mtp != 0 && file.find_tensor(probe) != nullptr) {
    out.layers = first;
    out.mtp_layers = mtp;
  }
  return {};
}

Result<void> read_vocab(const GgufFile& file, ModelConfig& out) {
  const GgufEntry* tokens = file.find(keys::kTokens);
  if (file.find(keys::kVocab) != nullptr) {
    DS4_TRY(out.vocab, file.u32(keys::kVocab));
  } else if (tokens != nullptr && tokens->type == GgufType::array && tokens->count <= kMaxCount) {
    out.vocab = static_cast<std::uint32_t>(tokens->count);
  } else {
    return fail(Errc::bad_file, file.name(), ": neither key '", keys::kVocab, "' nor an array '",
                keys::kTokens, "' says how many tokens there are");
  }
  if (tokens != nullptr && tokens->type == GgufType::array && tokens->count > out.vocab) {
    return broken(file.name(), keys::kTokens, std::to_string(tokens->count) + " tokens",
                  "at most " + std::string(keys::kVocab) + " = " + std::to_string(out.vocab));
  }
  return {};
}

Naming find_naming(const GgufFile& file) {
  const GgufEntry* limit = file.find(keys::kSwigluLimit);
  const bool is_scalar = limit != nullptr && limit->type != GgufType::array;
  const bool is_llama =
      file.find(keys::kMtpLayers) != nullptr || file.find(keys::kVocab) == nullptr || is_scalar;
  return is_llama ? Naming::llama : Naming::ds4;
}

}  // namespace

Result<ModelConfig> ModelConfig::read(const GgufFile& file) {
  auto config = read_all(file);
  // That a key is not there breaks this file; to a caller, not_found would be the file.
  if (!config && config.error().code == Errc::not_found) {
    return Error{Errc::bad_file, config.error().what};
  }
  return config;
}

Result<ModelConfig> ModelConfig::read_all(const GgufFile& file) {
  ModelConfig out;
  DS4_TRY(const auto architecture, file.string(keys::kArchitecture));
  if (architecture != keys::kArchitectureName) {
    return fail(Errc::unsupported, file.name(), ": architecture '", shown(architecture),
                "' is not supported, '", keys::kArchitectureName, "' is");
  }
  out.architecture = architecture;
  if (file.find(keys::kName) != nullptr) {
    DS4_TRY(out.name, file.string(keys::kName));
  }
  out.naming = find_naming(file);
  DS4_CHECK(read_layer_counts(file, out));
  DS4_TRY(out.width, file.u32(keys::kWidth));
  DS4_CHECK(read_vocab(file, out));
  if (file.find(keys::kContext) != nullptr) {
    DS4_TRY(out.context_length, file.u64(keys::kContext));
  }
  DS4_CHECK(read_attention(file, out));
  DS4_CHECK(read_experts(file, out));
  DS4_CHECK(read_streams_and_rope(file, out));
  DS4_CHECK(out.validate(file.name()));
  return out;
}

Result<void> ModelConfig::validate(std::string_view file) const {
  struct Count {
    std::string_view key;
    std::uint32_t value;
    std::uint32_t most;
  };
  const Count counts[] = {
      {keys::kLayers, layers, kMaxCount},
      {keys::kWidth, width, kMaxCount},
      {keys::kVocab, vocab, kMaxCount},
      {keys::kHeads, heads, kMaxCount},
      {keys::kKeyLength, head_dim, kMaxCount},
      {keys::kQRank, q_rank, kMaxCount},
      {keys::kOutputRank, output_rank, kMaxCount},
      {keys::kOutputGroups, output_groups, heads},
      {keys::kWindow, window, kMaxCount},
      {keys::kIndexHeads, index_heads, kMaxCount},
      {keys::kIndexDim, index_dim, kMaxCount},
      {keys::kIndexTopK, index_top_k, kMaxCount},
      {keys::kExperts, experts, kMaxCount},
      {keys::kStoredExperts, stored(), experts},
      {keys::kExpertsUsed, experts_used, experts},
      {keys::kExpertWidth, expert_width, kMaxCount},
      {keys::kStreams, streams, kMaxStreams},
      {keys::kSinkhorn, sinkhorn_iterations, kMaxSinkhorn},
  };
  for (const Count& count : counts) {
    DS4_CHECK(check_count(file, count.key, count.value, count.most));
  }
  if (heads % output_groups != 0) {
    return broken(file, keys::kOutputGroups, output_groups,
                  "a divisor of the " + std::to_string(heads) + " heads");
  }
  const std::uint32_t rot_most = std::min(head_dim, index_dim);
  if (rot_dim == 0 || rot_dim % 2 != 0 || rot_dim > rot_most) {
    return broken(file, keys::kRotDim, rot_dim, "an even number in 2.." + std::to_string(rot_most));
  }
  if (!std::has_single_bit(index_dim)) {
    return broken(file, keys::kIndexDim, index_dim, "a power of two (Hadamard transform)");
  }
  if (hash_layers > layers) {
    return broken(file, keys::kHashLayers, hash_layers, "0.." + std::to_string(layers));
  }
  for (const std::uint32_t ratio : ratios) {
    if (ratio != 0 && ratio != 4 && ratio != 128) {
      return broken(file, keys::kRatios, ratio, "0, 4 or 128 in each element");
    }
  }
  DS4_CHECK(check_above(file, keys::kRouteScale, route_scale, 0, false));
  DS4_CHECK(check_above(file, keys::kHcEpsilon, hc_epsilon, 0, false));
  DS4_CHECK(check_above(file, keys::kRmsEpsilon, rms_epsilon, 0, false));
  DS4_CHECK(check_above(file, keys::kRopeBase, rope_base, 1, false));
  DS4_CHECK(check_above(file, keys::kCompressRopeBase, compress_rope_base, 1, false));
  DS4_CHECK(check_above(file, keys::kYarnFactor, yarn_factor, 1, true));
  DS4_CHECK(check_above(file, keys::kYarnBetaSlow, yarn_beta_slow, 0, false));
  DS4_CHECK(check_above(file, keys::kYarnBetaFast, yarn_beta_fast, yarn_beta_slow, false));
  constexpr std::uint64_t kMaxContext = std::numeric_limits<std::uint32_t>::max();
  if (yarn_original_context == 0 || yarn_original_context > kMaxContext) {
    return broken(file, keys::kYarnContext, yarn_original_context,
                  "1.." + std::to_string(kMaxContext));
  }
  return check_products(file, *this);
}

ModelConfig ModelConfig::single_layer(std::uint32_t layer) const {
  ModelConfig config = *this;
  config.layers = 1;
  config.mtp_layers = 0;
  config.ratios = {ratio(layer)};
  config.hash_layers = is_hash_routed(layer) ? 1 : 0;
  config.swiglu_limit = {swiglu_limit[layer]};
  config.shared_swiglu_limit = {shared_swiglu_limit[layer]};
  return config;
}

LayerKind ModelConfig::kind(std::uint32_t layer) const noexcept {
  switch (ratios[layer]) {
    case 0:
      return LayerKind::window;
    case 4:
      return LayerKind::sparse;
    default:
      return LayerKind::fully_compressed;
  }
}

}  // namespace ds4
