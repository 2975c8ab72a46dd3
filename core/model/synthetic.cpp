#include "model/synthetic.hpp"

#include <algorithm>
#include <cmath>

#include "model/config_keys.hpp"
#include "model/synthetic_parts.hpp"
#include "model/synthetic_tensor.hpp"

namespace ds4 {
namespace synthetic {
namespace {

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

// What the head of a file may lack of the length it is given: a text of that length is no burden.
constexpr std::uint64_t kMostDescription = 65536;

Result<GgufHeader> make_header(const SyntheticSpec& spec, const std::vector<TensorSpec>& tensors,
                               const std::string& description) {
  GgufHeader header;
  DS4_CHECK(add_metadata(header, spec, description));
  for (const TensorSpec& tensor : tensors) {
    const Dtype dtype = spec.types.of(tensor.role);
    const auto allowed = allowed_dtypes(tensor.role);
    if (std::find(allowed.begin(), allowed.end(), dtype) == allowed.end()) {
      return fail(Errc::invalid_argument, "tensor ", tensor.name, " cannot be stored as ",
                  dtype_name(dtype));
    }
    DS4_CHECK(header.add_tensor(tensor.name, tensor.dims, dtype));
  }
  return header;
}

}  // namespace

bool is_hole(TensorRole role, Holes holes) noexcept {
  const TensorGroup group = role_traits(role).group;
  const bool is_expert = group == TensorGroup::expert_gate_up || group == TensorGroup::expert_down;
  return holes == Holes::all || (holes == Holes::experts && is_expert);
}

Result<GgufHeader> make_header(const SyntheticSpec& spec, const std::vector<TensorSpec>& tensors) {
  DS4_CHECK(spec.config.validate("the shape"));
  if (spec.config.mtp_layers != 0 && spec.config.naming == Naming::ds4) {
    return fail(Errc::invalid_argument,
                "ds4 naming keeps MTP blocks in a file of their own; use llama naming");
  }
  DS4_TRY(GgufHeader header, make_header(spec, tensors, {}));
  const std::uint64_t bytes = header.encode().size() + header.data_bytes();
  // A string entry is its key and its value with their lengths, and the type.
  const std::uint64_t entry = 8 + keys::kDescription.size() + 4 + 8;
  if (spec.file_bytes <= bytes + entry || spec.file_bytes - bytes > kMostDescription) return header;
  std::string description =
      "Random weights in the layout of the published file; the dots give it that file's length. ";
  description.resize(spec.file_bytes - bytes - entry, '.');
  return make_header(spec, tensors, description);
}

std::vector<TensorSpec> tensor_list(const ModelConfig& config) {
  std::vector<TensorSpec> out = main_tensors(config);
  for (std::uint32_t i = 0; i < config.mtp_layers; ++i) {
    append_mtp_block(config, config.layers + i, out);
  }
  return out;
}

}  // namespace synthetic
namespace {

// Made at once and then written: enough for every thread to have some rows.
constexpr std::uint64_t kPieceBytes = 16ULL << 20;

}  // namespace

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

Result<SyntheticSize> synthetic_size(const SyntheticSpec& spec) {
  const std::vector<TensorSpec> tensors = synthetic::tensor_list(spec.config);
  DS4_TRY(const GgufHeader header, synthetic::make_header(spec, tensors));
  SyntheticSize size;
  size.tensors = tensors.size();
  size.disk_bytes = header.encode().size();
  size.file_bytes = size.disk_bytes + header.data_bytes();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (!synthetic::is_hole(tensors[i].role, spec.holes))
      size.disk_bytes += header.tensors()[i].bytes;
  }
  return size;
}

Result<void> write_synthetic_model(const std::filesystem::path& path, const SyntheticSpec& spec,
                                   ThreadTeam& team, const WriteProgress& progress) {
  const std::vector<TensorSpec> tensors = synthetic::tensor_list(spec.config);
  DS4_TRY(const SyntheticSize size, synthetic_size(spec));
  DS4_TRY(GgufHeader header, synthetic::make_header(spec, tensors));
  std::uint64_t done = header.encode().size();
  DS4_TRY(GgufWriter writer, GgufWriter::create(path, std::move(header)));
  std::vector<std::byte> piece;
  for (const TensorSpec& tensor : tensors) {
    if (synthetic::is_hole(tensor.role, spec.holes)) {
      DS4_CHECK(writer.skip());
      continue;
    }
    DS4_TRY(const auto maker, synthetic::TensorMaker::make(spec, tensor));
    const std::uint64_t most = std::max<std::uint64_t>(1, kPieceBytes / maker.row_bytes());
    for (std::uint64_t row = 0; row < maker.rows(); row += most) {
      const std::uint64_t count = std::min(most, maker.rows() - row);
      piece.resize(count * maker.row_bytes());
      DS4_CHECK(maker.fill(row, count, piece, team));
      DS4_CHECK(writer.write(piece));
      done += piece.size();
      if (progress) progress(done, size.disk_bytes);
    }
  }
  return writer.finish();
}

Result<void> write_synthetic_model(const std::filesystem::path& path, const SyntheticSpec& spec) {
  ThreadTeam alone(1);
  return write_synthetic_model(path, spec, alone);
}

}  // namespace ds4
