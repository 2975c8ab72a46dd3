#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/ops/layer_shapes.hpp"
#include "bench/ops/step_stand.hpp"

namespace ds4::bench {

/// How many lists of experts or rows a kernel takes in turn; few where one list is long and its own
/// rows differ.
constexpr std::uint32_t list_count(std::uint32_t rows) noexcept {
  return std::clamp(1024U / std::max(rows, 1U), 1U, 32U);
}

/// Whether the kernel of this name and op is to be made.
using WantsKernel = std::function<bool(const std::string& name, const ds4_op& op)>;

/// The ops of a step over one layer, in their order, each once; those that only pass ids on, and
/// those that are not wanted, are left out. `keys` are those that the stand was made with.
[[nodiscard]] std::vector<Kernel> plan_kernels(const StepStand& stand, const ModelShapes& shapes,
                                               const LayerShapes& layer, const BufferKeys& keys,
                                               const WantsKernel& wants);

}  // namespace ds4::bench
