#include "ops/op_cost.hpp"

#include <algorithm>

#include "ops/views.hpp"

namespace ds4 {

OpCost weight_cost(const ds4_weight_desc& weight, const WeightUse& use) noexcept {
  double values = 1;
  for (std::uint32_t axis = 0; axis < weight.rank; ++axis) values *= weight.extent[axis];
  const auto bytes = static_cast<double>(weight.bytes);
  switch (weight.role) {
    case DS4_ROLE_EXPERT_GATE:
    case DS4_ROLE_EXPERT_UP:
    case DS4_ROLE_EXPERT_DOWN:
      return {bytes / weight.extent[0] * use.experts, values / weight.extent[0] * use.pairs};
    case DS4_ROLE_EMBEDDING:
    case DS4_ROLE_TOKEN_TABLE:
      return {bytes / weight.extent[0] * std::min<double>(use.rows, weight.extent[0]), 0};
    case DS4_ROLE_VECTOR:
    case DS4_ROLE_WINDOW_TABLE:
      return {bytes, 0};
    default:
      return {bytes, values * use.rows};
  }
}

double row_bytes_of(const ds4_view& view, std::uint64_t rows) noexcept {
  if (view.rank == 0) return 0;
  const auto count = static_cast<double>(std::min<std::uint64_t>(rows, view.extent[0]));
  if (view.rank == 1) return count * element_bytes(view.dtype);
  double vectors = 1;
  for (std::uint32_t axis = 1; axis + 1 < view.rank; ++axis) vectors *= view.extent[axis];
  const auto bytes = view_row_bytes(view.dtype, view_width(view), view.row_tail).value_or(0);
  return count * vectors * static_cast<double>(bytes);
}

}  // namespace ds4
