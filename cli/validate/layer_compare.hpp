#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/op_compare.hpp"
#include "validate/layer_side.hpp"

namespace ds4::validate {

/// Compares an output in the states of two sides. `columns`: how many values of each row have a
/// meaning; empty means all.
[[nodiscard]] OutputComparison compare_output(const OpOutput& output, const LayerSide& side,
                                              const LayerState& wanted, const LayerState& got,
                                              const std::vector<std::uint32_t>& columns,
                                              double tolerance_scale);

/// The 32-bit values of a contiguous view of the arena.
[[nodiscard]] std::vector<std::int32_t> ints_of(const ds4_view& view, const LayerState& state);
[[nodiscard]] std::vector<float> floats_of(const ds4_view& view, const LayerState& state);
void put_ints(const ds4_view& view, std::span<const std::int32_t> values, LayerState& state);

}  // namespace ds4::validate
