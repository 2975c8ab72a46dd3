#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ds4 {

/// A stretch of the forward pass: consecutive layers, with the embedding before the first of the
/// model or the head behind the last.
struct PassSpan {
  bool embeds = false;
  std::uint32_t first_layer = 0;
  std::uint32_t end_layer = 0;  ///< one past the last; first_layer: no layer
  bool has_head = false;

  [[nodiscard]] static PassSpan whole(std::uint32_t layers) { return {true, 0, layers, true}; }
  [[nodiscard]] bool has_layers() const noexcept { return first_layer < end_layer; }
  /// "embedding, layers 0-20", "layer 7, head".
  [[nodiscard]] std::string text() const;
};

/// What of a model one device has.
struct DeviceShare {
  bool embeds = false;
  std::vector<bool> layers;  ///< by layer
  bool has_head = false;

  [[nodiscard]] bool has_layers() const;
  /// "embedding, layers 0-3, layer 9, head".
  [[nodiscard]] std::string text() const;
};

/// A span of the pass and the device that runs it.
struct PlacedSpan {
  std::size_t device = 0;  ///< index in the engine's list of devices
  PassSpan span;
};

/// Which device runs what of a forward pass, by its index in a list of devices.
struct Placement {
  std::size_t embed = 0;
  std::vector<std::size_t> layers;
  std::size_t head = 0;

  /// Everything on device 0.
  [[nodiscard]] static Placement single(std::uint32_t layers);
  /// The pass in its order, cut where the device changes.
  [[nodiscard]] std::vector<PlacedSpan> spans() const;
  [[nodiscard]] DeviceShare share(std::size_t device) const;
};

}  // namespace ds4
