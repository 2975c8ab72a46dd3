#include "bench/ops/layer_shapes.hpp"

#include <set>
#include <tuple>
#include <utility>

namespace ds4::bench {
namespace {

using LayerKey = std::tuple<std::uint32_t, bool, std::vector<Dtype>>;

LayerKey key_of(const ModelFile& model, std::uint32_t layer) {
  const ModelConfig& config = model.config();
  LayerKey key{config.ratio(layer), config.is_hash_routed(layer), {}};
  for (const TensorRole role : layer_roles(config.ratio(layer), config.is_hash_routed(layer))) {
    const TensorInfo* tensor = model.layer_tensor(layer, role);
    std::get<2>(key).push_back(tensor == nullptr ? Dtype::i32 : tensor->dtype);
  }
  return key;
}

}  // namespace

Result<ModelShapes> ModelShapes::of(const ModelFile& model, const AskWeight& ask) {
  ModelShapes shapes;
  WeightTable global{};
  const auto add = [&](const WeightItem& item) -> Result<const ShapedWeight*> {
    ShapedWeight& weight = shapes.weights.emplace_back();
    weight.name = role_traits(item.role).suffix;
    if (weight.name.ends_with(".weight")) weight.name.resize(weight.name.size() - 7);
    DS4_TRY(const WeightChoice choice, choose_weight(model, item, weight.name, ask));
    weight.desc = choice.desc;
    weight.desc.name = weight.name.c_str();
    if (weight.desc.role == DS4_ROLE_TOKEN_TABLE) weight.id_limit = model.config().stored();
    return &weight;
  };
  std::set<LayerKey> known;
  for (const WeightItem& item : weight_items(model)) {
    if (item.layer == DS4_NO_LAYER) {
      DS4_TRY(const ShapedWeight* const weight, add(item));
      global[static_cast<std::size_t>(item.role)] = weight->handle();
      shapes.global.push_back(weight);
      continue;
    }
    const bool is_begun = !shapes.layers.empty() && shapes.layers.back().layer == item.layer;
    if (!is_begun) {
      if (!known.insert(key_of(model, item.layer)).second) continue;
      shapes.layers.push_back({item.layer, global, {}});
    }
    LayerShapes& layer = shapes.layers.back();
    DS4_TRY(const ShapedWeight* const weight, add(item));
    layer.table[static_cast<std::size_t>(item.role)] = weight->handle();
    layer.of_layer.push_back(weight);
  }
  return shapes;
}

}  // namespace ds4::bench
