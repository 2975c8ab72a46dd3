#include "engine/selection_layout.hpp"

#include "base/checked.hpp"
#include "ops/views.hpp"

namespace ds4 {

SelectionLayout SelectionLayout::make(const ModelConfig& config, Selections selections,
                                      std::uint32_t rows, const std::vector<bool>& on_device) {
  SelectionLayout layout;
  if (selections == Selections::internal) return layout;
  const auto place = [&layout, rows](std::uint32_t columns) {
    const ds4_view view = make_view(nullptr, layout.bytes, DS4_DTYPE_I32, {rows, columns});
    layout.bytes = round_up(layout.bytes + view_span_bytes(view), 256);
    return view;
  };
  for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
    LayerSelections entry{};
    if (!on_device.empty() && !on_device[layer]) {
      layout.layers.push_back(entry);
      continue;
    }
    entry.experts = place(config.experts_used);
    if (config.kind(layer) == LayerKind::sparse) entry.index = place(config.index_top_k);
    layout.layers.push_back(entry);
  }
  return layout;
}

}  // namespace ds4
