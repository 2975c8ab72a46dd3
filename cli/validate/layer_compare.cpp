#include "validate/layer_compare.hpp"

#include <cstring>
#include <optional>

#include "ops/views.hpp"

namespace ds4::validate {
namespace {

const std::vector<std::byte>& bytes_of(const ds4_view& view, const LayerSide& side,
                                       const LayerState& state) {
  if (view.buffer == side.arena()) return state.arena;
  return view.buffer == side.rings() ? state.rings : state.pool;
}

}  // namespace

OutputComparison compare_output(const OpOutput& output, const LayerSide& side,
                                const LayerState& wanted, const LayerState& got,
                                const std::vector<std::uint32_t>& columns, double tolerance_scale) {
  OutputComparison result(output, tolerance_scale);
  const ViewRows rows(output);
  const std::span<const std::byte> a = bytes_of(output.view, side, wanted);
  const std::span<const std::byte> b = bytes_of(output.view, side, got);
  for (std::uint64_t row = 0; row < rows.count(); ++row) {
    const std::uint64_t at = output.view.offset + rows.offset(row);
    std::optional<std::uint32_t> count;
    if (!columns.empty()) count = columns[row];
    result.add(row, a.subspan(at, rows.bytes()), b.subspan(at, rows.bytes()), count);
  }
  return result;
}

std::vector<std::int32_t> ints_of(const ds4_view& view, const LayerState& state) {
  std::vector<std::int32_t> values(view_span_bytes(view) / sizeof(std::int32_t));
  std::memcpy(values.data(), &state.arena[view.offset], values.size() * sizeof(std::int32_t));
  return values;
}

std::vector<float> floats_of(const ds4_view& view, const LayerState& state) {
  std::vector<float> values(view_span_bytes(view) / sizeof(float));
  std::memcpy(values.data(), &state.arena[view.offset], values.size() * sizeof(float));
  return values;
}

void put_ints(const ds4_view& view, std::span<const std::int32_t> values, LayerState& state) {
  std::memcpy(&state.arena[view.offset], values.data(), values.size_bytes());
}

}  // namespace ds4::validate
