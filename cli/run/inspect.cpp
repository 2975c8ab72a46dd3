#include "run/inspect.hpp"

#include <sstream>
#include <vector>

#include "common/progress.hpp"

namespace ds4::run {
namespace {

struct TypeUse {
  Dtype type;
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
};

std::vector<TypeUse> type_uses(const GgufFile& file) {
  std::vector<TypeUse> uses;
  for (const TensorInfo& tensor : file.tensors()) {
    auto at = uses.begin();
    while (at != uses.end() && at->type != tensor.dtype) ++at;
    if (at == uses.end()) at = uses.insert(uses.end(), TypeUse{tensor.dtype});
    ++at->count;
    at->bytes += tensor.bytes;
  }
  return uses;
}

void describe_layers(std::ostringstream& out, const ModelConfig& config) {
  std::uint32_t kinds[3] = {};
  for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
    ++kinds[static_cast<std::size_t>(config.kind(layer))];
  }
  out << "layers: " << config.layers << " (" << kinds[0] << " window, " << kinds[1] << " sparse, "
      << kinds[2] << " fully compressed), width " << config.width << ", " << config.streams
      << " streams, vocabulary " << config.vocab << "\n";
}

}  // namespace

std::string model_summary(const ModelFile& model) {
  const ModelConfig& config = model.config();
  const GgufFile& file = model.gguf();
  std::uint64_t bytes = 0;
  std::uint64_t parameters = 0;
  for (const TensorInfo& tensor : file.tensors()) {
    bytes += tensor.bytes;
    parameters += tensor.elements();
  }
  std::ostringstream out;
  out << "name: " << (config.name.empty() ? "(none)" : config.name) << "\n"
      << "architecture: " << config.architecture << "\n"
      << "gguf: version " << file.version() << ", " << file.metadata().size() << " keys, "
      << file.tensors().size() << " tensors\n";
  describe_layers(out, config);
  out << "training context: " << config.context_length << "\n"
      << "attention: " << config.heads << " heads, 1 kv head, head dim " << config.head_dim
      << ", window " << config.window << "\n"
      << "indexer: " << config.index_heads << " heads, dim " << config.index_dim << ", top-k "
      << config.index_top_k << "\n"
      << "experts: " << config.experts << ", " << config.experts_used << " used, width "
      << config.expert_width << ", output groups " << config.output_groups << "\n"
      << "file bytes: " << file.file_bytes() << "\n"
      << "tensor bytes: " << bytes << "\n"
      << "parameters: " << cli::decimals(static_cast<double>(parameters) / 1e9, 3) << " billion\n";
  for (const TypeUse& use : type_uses(file)) {
    out << "type " << dtype_name(use.type) << ": " << use.count << " tensors, " << use.bytes
        << " bytes\n";
  }
  return out.str();
}

std::string type_counts(const GgufFile& file) {
  std::string out;
  for (const TypeUse& use : type_uses(file)) {
    out.append(out.empty() ? "" : ", ").append(dtype_name(use.type)).append(" ");
    out.append(std::to_string(use.count));
  }
  return out;
}

}  // namespace ds4::run
