#pragma once

#include <cstdint>
#include <vector>

#include "plan/plan.hpp"

namespace ds4 {

/// Where the choices of every layer lie in one buffer, for Selections::recorded and forced.
struct SelectionLayout {
  std::vector<LayerSelections> layers;  ///< views without a buffer
  std::uint64_t bytes = 0;

  /// `rows`: most rows of a step; `on_device`: by layer, whether its choices lie here, empty: all
  /// do. Empty for Selections::internal.
  static SelectionLayout make(const ModelConfig& config, Selections selections, std::uint32_t rows,
                              const std::vector<bool>& on_device = {});
};

}  // namespace ds4
