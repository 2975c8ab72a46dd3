#pragma once

#include <vector>

#include "bench/ops/kernel.hpp"
#include "engine/weight_choice.hpp"
#include "model/model_file.hpp"
#include "plan/plan.hpp"

namespace ds4::bench {

/// A layer that stands for all with its shapes and types.
struct LayerShapes {
  std::uint32_t layer = 0;
  WeightTable table{};                        ///< handles of shapes, global ones too
  std::vector<const ShapedWeight*> of_layer;  ///< in the order of a layer
};

/// The weights of a model by shape: one layer of each kind (ratio, routing, element types), and
/// what is outside the layers.
struct ModelShapes {
  WeightShapes weights;
  std::vector<LayerShapes> layers;
  std::vector<const ShapedWeight*> global;

  /// A type that the device does not take stands as what loading would convert it to.
  /// Errors: those of choose_weight().
  static Result<ModelShapes> of(const ModelFile& model, const AskWeight& ask);
};

}  // namespace ds4::bench
