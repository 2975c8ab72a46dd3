#include "model/traffic.hpp"

#include <algorithm>

namespace ds4 {
namespace {

using enum TensorRole;

/// The component that a role belongs to; roles that are read as one share a name.
std::string_view component_of(TensorRole role, std::uint32_t ratio) {
  switch (role) {
    case attn_q_a:
      return "attention q_a";
    case attn_kv:
      return "attention kv";
    case attn_q_b:
      return "attention q_b";
    case attn_output_a:
      return "attention output a";
    case attn_output_b:
      return "attention output b";
    case attn_compressor_kv:
    case attn_compressor_gate:
      return ratio == 4 ? "compressor, ratio 4" : "compressor, ratio 128";
    case indexer_compressor_kv:
    case indexer_compressor_gate:
      return "indexer compressor";
    case indexer_q_b:
      return "indexer q_b";
    case indexer_proj:
      return "indexer weights";
    case hc_attn_fn:
    case hc_ffn_fn:
      return "hyper-connection mix";
    case ffn_gate_inp:
      return "router";
    case ffn_gate_shexp:
    case ffn_up_shexp:
    case ffn_down_shexp:
      return "shared expert";
    case ffn_gate_exps:
    case ffn_up_exps:
      return "routed gate and up";
    case ffn_down_exps:
      return "routed down";
    case output:
      return "output head";
    default:
      return "norms, tables and the rest";
  }
}

std::uint64_t bytes_read(const TensorInfo& tensor, TensorRole role, const ModelConfig& config) {
  switch (role) {
    case ffn_gate_exps:
    case ffn_up_exps:
    case ffn_down_exps:
      return tensor.bytes / tensor.dims[2] * config.experts_used;
    case token_embd:
    case ffn_gate_tid2eid:
    case attn_compressor_ape:
    case indexer_compressor_ape:
      return tensor.row_bytes();
    default:
      return tensor.bytes;
  }
}

/// Rows in the order that components are first met in, but the odds and ends last.
class Rows {
 public:
  void add(TensorRole role, std::uint32_t ratio, const TensorInfo& tensor,
           const ModelConfig& config, std::uint64_t layer) {
    const std::string_view name = component_of(role, ratio);
    auto at = std::find_if(rows_.begin(), rows_.end(),
                           [name](const TrafficRow& row) { return row.component == name; });
    if (at == rows_.end()) {
      at = rows_.insert(rows_.end(), TrafficRow{name, 0, 0});
      last_layer_.push_back(~std::uint64_t{0});
    }
    auto& last = last_layer_[static_cast<std::size_t>(at - rows_.begin())];
    at->layers += last == layer ? 0 : 1;
    last = layer;
    at->bytes += bytes_read(tensor, role, config);
  }

  std::vector<TrafficRow> take() {
    const std::string_view rest = component_of(output_norm, 0);
    std::stable_partition(rows_.begin(), rows_.end(),
                          [rest](const TrafficRow& row) { return row.component != rest; });
    return std::move(rows_);
  }

 private:
  std::vector<TrafficRow> rows_;
  std::vector<std::uint64_t> last_layer_;  // by row: where it was met last
};

}  // namespace

std::vector<TrafficRow> decode_traffic(const ModelFile& model) {
  const ModelConfig& config = model.config();
  Rows rows;
  for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
    const std::uint32_t ratio = config.ratio(layer);
    for (const TensorRole role : layer_roles(ratio, config.is_hash_routed(layer))) {
      const TensorInfo* tensor = model.layer_tensor(layer, role);
      if (tensor != nullptr) rows.add(role, ratio, *tensor, config, layer);
    }
  }
  for (std::size_t r = 0; r < kTensorRoles; ++r) {
    const auto role = static_cast<TensorRole>(r);
    if (is_global(role)) rows.add(role, 0, *model.global_tensor(role), config, config.layers);
  }
  return rows.take();
}

}  // namespace ds4
