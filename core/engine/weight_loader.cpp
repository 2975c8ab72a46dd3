#include "engine/weight_loader.hpp"

#include <algorithm>
#include <optional>
#include <span>

#include "base/checked.hpp"
#include "format/quants/quants.hpp"

namespace ds4 {
namespace {

// Large enough to hide the cost of a call, small enough that a converted chunk stays in cache.
constexpr std::uint64_t kChunkBytes = 4ULL << 20;
// Tensors that are made are made in pieces that give every thread of a large team some rows.
constexpr std::uint64_t kMadeBytes = 16ULL << 20;

std::uint32_t abi_role(TensorRole role) {
  switch (role) {
    case TensorRole::token_embd:
      return DS4_ROLE_EMBEDDING;
    case TensorRole::output:
      return DS4_ROLE_OUTPUT_HEAD;
    case TensorRole::output_hc_fn:
    case TensorRole::hc_attn_fn:
    case TensorRole::hc_ffn_fn:
      return DS4_ROLE_HC_MIX;
    case TensorRole::attn_output_a:
      return DS4_ROLE_GROUPED;
    case TensorRole::attn_compressor_ape:
    case TensorRole::indexer_compressor_ape:
      return DS4_ROLE_WINDOW_TABLE;
    case TensorRole::ffn_gate_inp:
      return DS4_ROLE_ROUTER;
    case TensorRole::ffn_gate_tid2eid:
      return DS4_ROLE_TOKEN_TABLE;
    case TensorRole::ffn_gate_exps:
      return DS4_ROLE_EXPERT_GATE;
    case TensorRole::ffn_up_exps:
      return DS4_ROLE_EXPERT_UP;
    case TensorRole::ffn_down_exps:
      return DS4_ROLE_EXPERT_DOWN;
    default:
      return role_traits(role).group == TensorGroup::vector ? DS4_ROLE_VECTOR : DS4_ROLE_MATRIX;
  }
}

/// The shape the ops expect: outermost first, the grouped projection as [groups, rank, in]. It
/// comes from the model, since a file may leave trailing extents of 1 out or add some.
ds4_weight_desc describe(const ModelConfig& config, const TensorInfo& tensor, TensorRole role,
                         std::uint32_t layer, const std::string& name) {
  const std::vector<std::uint64_t> dims =
      role_dims(config, role, layer == DS4_NO_LAYER ? 0 : config.ratio(layer));
  ds4_weight_desc desc{};
  desc.struct_size = sizeof(desc);
  desc.dtype = static_cast<std::uint32_t>(tensor.dtype);
  desc.role = abi_role(role);
  desc.layer = layer;
  desc.rank = static_cast<std::uint32_t>(dims.size());
  for (std::uint32_t i = 0; i < desc.rank; ++i) {
    desc.extent[i] = static_cast<std::uint32_t>(dims[desc.rank - 1 - i]);
  }
  if (desc.role == DS4_ROLE_GROUPED) {
    desc.rank = 3;
    desc.extent[2] = desc.extent[1];
    desc.extent[1] = config.output_rank;
    desc.extent[0] = config.output_groups;
  }
  desc.bytes = tensor.bytes;
  desc.name = name.c_str();
  return desc;
}

/// Types with values that F16 can not hold, or not to the last bit.
bool exceeds_half(Dtype dtype) {
  return dtype == Dtype::f32 || dtype == Dtype::bf16 || dtype == Dtype::mxfp4;
}

class WeightLoader {
 public:
  WeightLoader(const ModelFile& model, plugins::Device& device, const LogSink& log,
               const WeightProgress& progress)
      : model_(model), device_(device), log_(log), progress_(progress) {
    // The host's own team may be in use by another engine; tensors are only made while loading.
    if (!model.is_mapped()) team_.emplace(device.backend().host().team().threads());
  }

  Result<ModelWeights> load() {
    const ModelConfig& config = model_.config();
    out_.layers.resize(config.layers);
    std::vector<std::pair<TensorRole, std::uint32_t>> order;
    for (std::size_t r = 0; r < kTensorRoles; ++r) {
      const auto role = static_cast<TensorRole>(r);
      if (is_global(role)) order.emplace_back(role, DS4_NO_LAYER);
    }
    for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
      for (const TensorRole role : layer_roles(config.ratio(layer), config.is_hash_routed(layer))) {
        order.emplace_back(role, layer);
      }
    }
    for (const auto& [role, layer] : order) {
      if (const TensorInfo* tensor = find(role, layer)) total_ += tensor->bytes;
    }
    for (const auto& [role, layer] : order) {
      const TensorInfo* tensor = find(role, layer);
      if (tensor == nullptr) continue;
      DS4_CHECK(import(*tensor, role, layer));
    }
    return std::move(out_);
  }

 private:
  [[nodiscard]] const TensorInfo* find(TensorRole role, std::uint32_t layer) const {
    return layer == DS4_NO_LAYER ? model_.global_tensor(role) : model_.layer_tensor(layer, role);
  }

  Result<void> import(const TensorInfo& tensor, TensorRole role, std::uint32_t layer) {
    const std::string name(tensor.name);
    if (!model_.gguf().unchanged()) {
      return fail(Errc::io, model_.gguf().name(), ": the file changed its size while it was read");
    }
    ds4_weight_desc desc = describe(model_.config(), tensor, role, layer, name);
    DS4_TRY(ds4_weight_answer answer, device_.weight_query(desc));
    const Dtype source = tensor.dtype;
    if (answer.accepted == 0) DS4_CHECK(convert_desc(tensor, desc, answer));

    const bool converts = desc.dtype != static_cast<std::uint32_t>(source);
    const bool in_place = answer.in_place != 0 && !converts && model_.is_mapped();
    auto import = device_.begin_import(desc, in_place ? DS4_IMPORT_IN_PLACE : 0U);
    if (!import) return import.error().in("tensor ", name);
    const Result<void> written = converts             ? write_converted(tensor, desc, *import)
                                 : in_place           ? import->write(0, model_.bytes(tensor))
                                 : model_.is_mapped() ? write_chunks(tensor, answer, *import)
                                                      : write_made(tensor, answer, *import);
    if (!written) return written.error().in("tensor ", name);
    auto weight = import->finish();
    if (!weight) return weight.error().in("tensor ", name);

    // A device that could have used the bytes in place holds a copy of them as they are.
    const std::uint64_t held = answer.in_place != 0 ? desc.bytes : answer.packed_bytes;
    (in_place ? out_.in_place_bytes : out_.device_bytes) += held;
    WeightTable& table = layer == DS4_NO_LAYER ? out_.global : out_.layers[layer];
    table[static_cast<std::size_t>(role)] = weight->handle();
    out_.owned.push_back(*std::move(weight));
    done_ += tensor.bytes;
    if (progress_) progress_(done_, total_, tensor.name);
    return {};
  }

  /// The cheapest plain type that the device takes for this tensor.
  Result<void> convert_desc(const TensorInfo& tensor, ds4_weight_desc& desc,
                            ds4_weight_answer& answer) {
    for (const Dtype target : {Dtype::f16, Dtype::f32}) {
      if (tensor.dtype == Dtype::i32 || target == tensor.dtype) continue;
      if (target == Dtype::f16 && exceeds_half(tensor.dtype)) continue;
      DS4_TRY(const std::uint64_t row, row_bytes(target, tensor.dims[0]));
      desc.dtype = static_cast<std::uint32_t>(target);
      desc.bytes = row * tensor.rows();
      DS4_TRY(answer, device_.weight_query(desc));
      if (answer.accepted == 0) continue;
      if (log_) {
        std::ostringstream text;
        text << "tensor " << tensor.name << ": the device does not take "
             << dtype_name(tensor.dtype) << ", converted to " << dtype_name(target) << " ("
             << tensor.bytes << " -> " << desc.bytes << " bytes)";
        log_(LogLevel::info, "load", text.str());
      }
      return {};
    }
    return fail(Errc::unsupported, "tensor ", tensor.name, ": the device takes neither ",
                dtype_name(tensor.dtype), " nor F16 nor F32 for it");
  }

  Result<void> write_chunks(const TensorInfo& tensor, const ds4_weight_answer& answer,
                            plugins::WeightImport& import) {
    const auto bytes = model_.bytes(tensor);
    const std::uint64_t chunk = answer.chunk_bytes != 0 ? answer.chunk_bytes : kChunkBytes;
    for (std::uint64_t at = 0; at < bytes.size(); at += chunk) {
      DS4_CHECK(
          import.write(at, bytes.subspan(at, std::min<std::uint64_t>(chunk, bytes.size() - at))));
    }
    return {};
  }

  /// Makes whole rows and hands them over, piece by piece: no more than a piece exists twice.
  Result<void> write_made(const TensorInfo& tensor, const ds4_weight_answer& answer,
                          plugins::WeightImport& import) {
    const std::uint64_t row = tensor.row_bytes();
    const std::uint64_t wanted = std::max(kMadeBytes, answer.chunk_bytes);
    const std::uint64_t most = std::max<std::uint64_t>(1, wanted / row);
    for (std::uint64_t first = 0; first < tensor.rows(); first += most) {
      const std::uint64_t count = std::min(most, tensor.rows() - first);
      made_.resize(count * row);
      DS4_CHECK(model_.read_rows(tensor, first, count, made_, *team_));
      DS4_CHECK(import.write(first * row, made_));
    }
    return {};
  }

  Result<void> write_converted(const TensorInfo& tensor, const ds4_weight_desc& desc,
                               plugins::WeightImport& import) {
    const auto target = static_cast<Dtype>(desc.dtype);
    const std::uint64_t width = tensor.dims[0];
    DS4_TRY(const std::uint64_t source_row, row_bytes(tensor.dtype, width));
    DS4_TRY(const std::uint64_t target_row, row_bytes(target, width));
    std::vector<float> values(width);
    std::vector<std::byte> packed(target_row);
    const auto bytes = model_.bytes(tensor);
    made_.resize(source_row);
    for (std::uint64_t row = 0; row < tensor.rows(); ++row) {
      const std::byte* source = made_.data();
      if (model_.is_mapped()) {
        source = bytes.data() + row * source_row;
      } else {
        DS4_CHECK(model_.read_rows(tensor, row, 1, made_, *team_));
      }
      DS4_CHECK(dequantize_row(tensor.dtype, source, values.data(), width));
      DS4_CHECK(quantize_row(target, values.data(), packed.data(), width));
      DS4_CHECK(import.write(row * target_row, packed));
    }
    return {};
  }

  const ModelFile& model_;
  plugins::Device& device_;
  const LogSink& log_;
  const WeightProgress& progress_;
  std::optional<ThreadTeam> team_;  // where tensors are made
  std::vector<std::byte> made_;     // one piece of a tensor that is made
  ModelWeights out_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace

Result<ModelWeights> load_weights(const ModelFile& model, plugins::Device& device,
                                  const LogSink& log, const WeightProgress& progress) {
  return WeightLoader(model, device, log, progress).load();
}

}  // namespace ds4
