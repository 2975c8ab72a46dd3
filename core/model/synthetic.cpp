#include "model/synthetic.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "format/quants/quants.hpp"
#include "model/counter_rng.hpp"
#include "model/synthetic_parts.hpp"

namespace ds4 {
namespace synthetic {
namespace {

// Rows are made and encoded in pieces of about this many elements.
constexpr std::uint64_t kPieceElements = 1U << 18;

void append_mtp_block(const ModelConfig& config, std::uint32_t layer,
                      std::vector<TensorSpec>& out) {
  const auto add = [&](TensorRole role) {
    out.push_back({layer_tensor_name(layer, role), role, layer, role_dims(config, role, 0)});
  };
  for (const TensorRole role : layer_roles(0, false)) add(role);
  for (const TensorRole role : {TensorRole::mtp_eh_proj, TensorRole::mtp_enorm,
                                TensorRole::mtp_hnorm, TensorRole::mtp_norm}) {
    add(role);
  }
}

bool is_routed_expert(TensorRole role) {
  const TensorGroup group = role_traits(role).group;
  return group == TensorGroup::expert_gate_up || group == TensorGroup::expert_down;
}

Result<void> write_table(GgufWriter& writer, const TensorSpec& tensor, const SyntheticSpec& spec) {
  const CounterRng rng(spec.seed, tensor.name);
  std::vector<std::int32_t> row(tensor.dims[0]);
  std::vector<std::int32_t> all;
  all.reserve(tensor.dims[0] * tensor.dims[1]);
  for (std::uint64_t token = 0; token < tensor.dims[1]; ++token) {
    rng.distinct_ids(row, token, spec.config.experts);
    all.insert(all.end(), row.begin(), row.end());
  }
  return writer.write(std::as_bytes(std::span(all)));
}

Result<void> write_values(GgufWriter& writer, const TensorSpec& tensor, const SyntheticSpec& spec) {
  const CounterRng rng(spec.seed, tensor.name);
  const Dtype dtype = spec.types.of(tensor.role);
  const std::uint64_t columns = tensor.dims[0];
  const ValueRule rule = value_rule(tensor.role, columns);
  std::uint64_t rows = 1;
  for (std::size_t i = 1; i < tensor.dims.size(); ++i) rows *= tensor.dims[i];
  DS4_TRY(const std::uint64_t stride, row_bytes(dtype, columns));
  const std::uint64_t piece = std::max<std::uint64_t>(1, kPieceElements / columns);
  std::vector<float> values(piece * columns);
  std::vector<std::byte> encoded(piece * stride);
  for (std::uint64_t row = 0; row < rows; row += piece) {
    const std::uint64_t count = std::min(piece, rows - row);
    const std::span<float> some = std::span(values).first(count * columns);
    rng.fill(some, row * columns, rule.scale, rule.offset);
    DS4_CHECK(quantize_row(dtype, some.data(), encoded.data(), some.size()));
    DS4_CHECK(writer.write(std::span(encoded).first(count * stride)));
  }
  return {};
}

}  // namespace

std::vector<TensorSpec> tensor_list(const ModelConfig& config) {
  std::vector<TensorSpec> out = main_tensors(config);
  for (std::uint32_t i = 0; i < config.mtp_layers; ++i) {
    append_mtp_block(config, config.layers + i, out);
  }
  return out;
}

}  // namespace synthetic

ValueRule value_rule(TensorRole role, std::uint64_t columns) noexcept {
  switch (role) {
    case TensorRole::token_embd:
    case TensorRole::mtp_embed:
      return {1.0, 0.0};
    case TensorRole::output_hc_scale:
    case TensorRole::hc_attn_scale:
    case TensorRole::hc_ffn_scale:
    case TensorRole::mtp_hc_head_scale:
      return {0.0, 0.5};
    case TensorRole::output_hc_base:
    case TensorRole::hc_attn_base:
    case TensorRole::hc_ffn_base:
    case TensorRole::mtp_hc_head_base:
    case TensorRole::attn_sinks:
    case TensorRole::exp_probs_bias:
    case TensorRole::attn_compressor_ape:
    case TensorRole::indexer_compressor_ape:
      return {0.1, 0.0};
    default:
      break;
  }
  // The other vectors are norms.
  if (role_traits(role).group == TensorGroup::vector) return {0.1, 1.0};
  return {1.0 / std::sqrt(static_cast<double>(columns)), 0.0};
}

Result<void> write_synthetic_model(const std::filesystem::path& path, const SyntheticSpec& spec) {
  DS4_CHECK(spec.config.validate("the shape"));
  if (spec.config.mtp_layers != 0 && spec.config.naming == Naming::ds4) {
    return fail(Errc::invalid_argument,
                "ds4 naming keeps MTP blocks in a file of their own; use llama naming");
  }
  GgufHeader header;
  DS4_CHECK(synthetic::add_metadata(header, spec));
  const std::vector<TensorSpec> tensors = synthetic::tensor_list(spec.config);
  for (const TensorSpec& tensor : tensors) {
    const Dtype dtype = spec.types.of(tensor.role);
    const auto allowed = allowed_dtypes(tensor.role);
    if (std::find(allowed.begin(), allowed.end(), dtype) == allowed.end()) {
      return fail(Errc::invalid_argument, "tensor ", tensor.name, " cannot be stored as ",
                  dtype_name(dtype));
    }
    DS4_CHECK(header.add_tensor(tensor.name, tensor.dims, dtype));
  }
  DS4_TRY(GgufWriter writer, GgufWriter::create(path, std::move(header)));
  for (const TensorSpec& tensor : tensors) {
    if (spec.is_sparse && synthetic::is_routed_expert(tensor.role)) {
      DS4_CHECK(writer.skip());
    } else if (tensor.role == TensorRole::ffn_gate_tid2eid) {
      DS4_CHECK(synthetic::write_table(writer, tensor, spec));
    } else {
      DS4_CHECK(synthetic::write_values(writer, tensor, spec));
    }
  }
  return writer.finish();
}

}  // namespace ds4
