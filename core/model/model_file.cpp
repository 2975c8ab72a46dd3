#include "model/model_file.hpp"

#include <algorithm>
#include <cstring>
#include <sstream>

namespace ds4 {
namespace {

std::string dims_text(std::span<const std::uint64_t> dims) {
  std::ostringstream out;
  out << '[';
  for (std::size_t i = 0; i < dims.size(); ++i) out << (i == 0 ? "" : ", ") << dims[i];
  out << ']';
  return out.str();
}

std::string types_text(std::span<const Dtype> types) {
  std::string out;
  for (const Dtype type : types) {
    out.append(out.empty() ? "" : ", ").append(dtype_name(type));
  }
  return out;
}

// Trailing dims of 1 may be written or left out.
bool has_dims(const TensorInfo& tensor, std::span<const std::uint64_t> dims) {
  for (std::size_t i = 0; i < tensor.dims.size(); ++i) {
    if (tensor.dims[i] != (i < dims.size() ? dims[i] : 1)) return false;
  }
  return true;
}

Result<void> check_tensor(const std::string& file, const TensorInfo& tensor,
                          const TensorSpec& spec) {
  if (!has_dims(tensor, spec.dims)) {
    return fail(Errc::bad_file, file, ": tensor ", spec.name, ": expected ", dims_text(spec.dims),
                ", file has ", dims_text(std::span(tensor.dims).first(tensor.rank)));
  }
  const auto allowed = allowed_dtypes(spec.role);
  if (std::find(allowed.begin(), allowed.end(), tensor.dtype) != allowed.end()) return {};
  const bool is_known = find_traits(tensor.dtype) != nullptr;
  std::string found = is_known ? std::string(dtype_name(tensor.dtype))
                               : "type " + std::to_string(static_cast<std::uint32_t>(tensor.dtype));
  return fail(is_loadable(tensor.dtype) ? Errc::bad_file : Errc::unsupported, file, ": tensor ",
              spec.name, ": expected one of ", types_text(allowed), ", file has ", found);
}

// What the smallest layer can not go without: uncompressed, and routed without its optional bias.
std::size_t least_layer_tensors() {
  const std::vector<TensorRole> roles = layer_roles(0, false);
  return roles.size() - static_cast<std::size_t>(
                            std::count(roles.begin(), roles.end(), TensorRole::exp_probs_bias));
}

}  // namespace

Result<ModelFile> ModelFile::open(const std::filesystem::path& path, ModelChecks checks) {
  if (is_synthetic_name(path.string())) return make_synthetic(path.string());
  DS4_TRY(GgufFile gguf, GgufFile::open(path));
  return from(std::move(gguf), checks);
}

Result<ModelFile> ModelFile::make_synthetic(std::string_view name) {
  DS4_TRY(const SyntheticSpec spec, SyntheticSpec::parse(name));
  auto made = SyntheticSource::make(spec);
  if (!made) return made.error().in("model '", name, "'");
  auto source = std::make_shared<const SyntheticSource>(*std::move(made));
  DS4_TRY(GgufFile head,
          GgufFile::parse_head(source->head(), source->file_bytes(), std::string(name)));
  DS4_TRY(ModelConfig config, ModelConfig::read(head));
  ModelFile model(std::move(head), std::move(config));
  model.synthetic_ = std::move(source);
  DS4_CHECK(model.bind(ModelChecks::all));
  return model;
}

Result<void> ModelFile::read_rows(const TensorInfo& tensor, std::uint64_t first,
                                  std::uint64_t count, std::span<std::byte> out,
                                  ThreadTeam& team) const {
  if (synthetic_) return synthetic_->read_rows(tensor, first, count, out, team);
  const std::uint64_t stride = tensor.row_bytes();
  return gguf_.read(tensor, first * stride, out.first(count * stride));
}

Result<ModelFile> ModelFile::from(GgufFile file, ModelChecks checks) {
  DS4_TRY(ModelConfig config, ModelConfig::read(file));
  ModelFile model(std::move(file), std::move(config));
  DS4_CHECK(model.bind(checks));
  return model;
}

Result<void> ModelFile::bind(ModelChecks checks) {
  // Every layer has required tensors, so a layer count beyond the directory ends here, before
  // tables of that size are made.
  const std::size_t least = least_layer_tensors();
  if (config_.layers > gguf_.tensors().size() / least) {
    return fail(Errc::bad_file, gguf_.name(), ": ", config_.layers,
                " layers are claimed, each of at least ", least, " tensors, the file holds ",
                gguf_.tensors().size(), " tensors");
  }
  layers_.resize(config_.layers);
  std::uint64_t used = 0;
  for (const TensorSpec& spec : main_tensors(config_)) {
    const TensorInfo* tensor = gguf_.find_tensor(spec.name);
    if (tensor == nullptr) {
      if (spec.is_optional) continue;
      return fail(Errc::bad_file, gguf_.name(), ": tensor ", spec.name, " ", dims_text(spec.dims),
                  " is missing");
    }
    DS4_CHECK(check_tensor(gguf_.name(), *tensor, spec));
    if (spec.role == TensorRole::ffn_gate_tid2eid && checks == ModelChecks::all) {
      DS4_CHECK(check_table(*tensor));
    }
    RoleTable& table = spec.layer ? layers_[*spec.layer] : global_;
    table[static_cast<std::size_t>(spec.role)] = tensor;
    ++used;
  }
  for (std::uint32_t layer = 0; layer < config_.layers; ++layer) {
    const TensorInfo& gate = *layer_tensor(layer, TensorRole::ffn_gate_exps);
    const TensorInfo& up = *layer_tensor(layer, TensorRole::ffn_up_exps);
    if (gate.dtype != up.dtype) {
      return fail(Errc::bad_file, gguf_.name(), ": tensor ", up.name, ": expected ",
                  dtype_name(gate.dtype), " as in ", gate.name, ", file has ",
                  dtype_name(up.dtype));
    }
  }
  unused_ = gguf_.tensors().size() - used;
  return {};
}

Result<void> ModelFile::check_table(const TensorInfo& tensor) const {
  if (!is_mapped()) return {};  // made of existing experts
  // Read, not looked at where it is mapped: a disk that fails is an error here, not a signal.
  std::vector<std::int32_t> ids(std::size_t{64} << 10);
  for (std::uint64_t at = 0; at < tensor.bytes;) {
    const std::uint64_t count =
        std::min<std::uint64_t>(ids.size(), (tensor.bytes - at) / sizeof(std::int32_t));
    DS4_CHECK(gguf_.read(tensor, at, std::as_writable_bytes(std::span(ids).first(count))));
    for (std::uint64_t i = 0; i < count; ++i) {
      if (ids[i] >= 0 && static_cast<std::uint32_t>(ids[i]) < config_.experts) continue;
      const std::uint64_t offset = at + i * sizeof(std::int32_t);
      return fail(Errc::bad_file, gguf_.name(), ": offset ", tensor.offset + offset, ": tensor ",
                  tensor.name, ": entry ", offset / sizeof(std::int32_t), " is ", ids[i],
                  ", accepted is 0..", config_.experts - 1);
    }
    at += count * sizeof(std::int32_t);
  }
  return {};
}

const TensorInfo* ModelFile::layer_tensor(std::uint32_t layer, TensorRole role) const noexcept {
  return layer < layers_.size() ? layers_[layer][static_cast<std::size_t>(role)] : nullptr;
}

const TensorInfo* ModelFile::global_tensor(TensorRole role) const noexcept {
  return global_[static_cast<std::size_t>(role)];
}

}  // namespace ds4
