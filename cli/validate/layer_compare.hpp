#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ds4/ops.h"
#include "validate/layer_side.hpp"

namespace ds4::validate {

/// How near an output of an op must be to the reference's, both from the same input.
enum class Nearness {
  exact,    ///< ids and copies
  single,   ///< f32 arithmetic
  product,  ///< sums over weights or stored rows: int8 activations or half products are legal
  rounded,  ///< a product that is then rounded to codes: a few codes may be neighbours
  chosen,   ///< expert ids: judged by margin, elsewhere
};

/// Limits of the relative distance (2-norm) of a row (model.md 9).
inline constexpr double kSingleLimit = 1e-4;   ///< of f32 paths: some 100 times what is usual
inline constexpr double kReducedLimit = 3e-2;  ///< int8 activations or half products
/// Share of codes of a rounded row that may differ on a float path.
inline constexpr double kFlipLimit = 1e-2;

struct OpOutput {
  const char* name = "";
  ds4_view view{};
  Nearness nearness = Nearness::single;
};

/// The outputs of an op of a layer's plan.
[[nodiscard]] std::vector<OpOutput> outputs_of(const ds4_op& op);

/// What a comparison of one output found.
struct Distance {
  double error = 0;  ///< the worst row's
  double limit = 0;
  bool is_reduced = false;  ///< beyond a float path, within reduced precision
  bool is_wrong = false;
  std::string where;  ///< of the worst row
};

/// Compares an output in the states of two sides. `columns`: how many values of each row have a
/// meaning; 0 means all.
[[nodiscard]] Distance compare_output(const OpOutput& output, const LayerSide& side,
                                      const LayerState& wanted, const LayerState& got,
                                      const std::vector<std::uint32_t>& columns,
                                      double tolerance_scale);

/// The 32-bit values of a contiguous view of the arena.
[[nodiscard]] std::vector<std::int32_t> ints_of(const ds4_view& view, const LayerState& state);
[[nodiscard]] std::vector<float> floats_of(const ds4_view& view, const LayerState& state);
void put_ints(const ds4_view& view, std::span<const std::int32_t> values, LayerState& state);

}  // namespace ds4::validate
