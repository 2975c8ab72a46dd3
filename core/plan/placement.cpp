#include "plan/placement.hpp"

#include <algorithm>

namespace ds4 {
namespace {

void append(std::string& text, const std::string& part) {
  if (!text.empty()) text += ", ";
  text += part;
}

void append_layers(std::string& text, std::uint32_t first, std::uint32_t end) {
  std::string range = end - first == 1 ? "layer " : "layers ";
  range += std::to_string(first);
  if (end - first > 1) range.append("-").append(std::to_string(end - 1));
  append(text, range);
}

}  // namespace

std::string PassSpan::text() const {
  std::string text;
  if (embeds) append(text, "embedding");
  if (has_layers()) append_layers(text, first_layer, end_layer);
  if (has_head) append(text, "head");
  return text;
}

bool DeviceShare::has_layers() const {
  return std::find(layers.begin(), layers.end(), true) != layers.end();
}

std::string DeviceShare::text() const {
  std::string text;
  if (embeds) append(text, "embedding");
  const auto count = static_cast<std::uint32_t>(layers.size());
  for (std::uint32_t layer = 0; layer < count;) {
    const std::uint32_t first = layer;
    while (layer < count && layers[layer]) ++layer;
    if (layer > first) append_layers(text, first, layer);
    if (layer == first) ++layer;
  }
  if (has_head) append(text, "head");
  return text;
}

Placement Placement::single(std::uint32_t layers) {
  Placement out;
  out.layers.assign(layers, 0);
  return out;
}

std::vector<PlacedSpan> Placement::spans() const {
  std::vector<PlacedSpan> out;
  out.push_back({embed, {true, 0, 0, false}});
  const auto at = [&out](std::size_t device, std::uint32_t layer) -> PassSpan& {
    if (out.back().device != device) out.push_back({device, {false, layer, layer, false}});
    return out.back().span;
  };
  const auto count = static_cast<std::uint32_t>(layers.size());
  for (std::uint32_t layer = 0; layer < count; ++layer) {
    at(layers[layer], layer).end_layer = layer + 1;
  }
  at(head, count).has_head = true;
  return out;
}

DeviceShare Placement::share(std::size_t device) const {
  DeviceShare out;
  out.embeds = embed == device;
  for (const std::size_t on : layers) out.layers.push_back(on == device);
  out.has_head = head == device;
  return out;
}

}  // namespace ds4
