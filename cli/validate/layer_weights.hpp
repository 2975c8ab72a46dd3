#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/model_file.hpp"
#include "plan/plan.hpp"
#include "wrap/device.hpp"

namespace ds4::validate {

/// Weights on one device, by role, that go with the object.
struct HeldWeights {
  WeightTable table{};
  std::vector<plugins::Weight> owned;
};

/// Imports parts of a model file's tensors. Bytes are copied to the device in chunks, and the
/// file's pages are given back to the system behind each chunk, so that a file of any size passes
/// through a bounded memory. A type that the device does not take is converted to F16 or F32.
class WeightImporter {
 public:
  WeightImporter(const ModelFile& model, plugins::Device& device)
      : model_(model), device_(device) {}

  /// A whole tensor of a layer, or of no layer (DS4_NO_LAYER). A tensor that the file does not
  /// have (an optional bias) leaves its entry null.
  Result<void> import(TensorRole role, std::uint32_t layer, HeldWeights& into);
  /// The given rows of the outermost extent, in their order: experts, vocabulary rows.
  Result<void> import_parts(TensorRole role, std::uint32_t layer,
                            std::span<const std::uint32_t> parts, HeldWeights& into);

 private:
  struct Source;
  Result<void> import_from(const Source& source, TensorRole role, HeldWeights& into);
  const ModelFile& model_;
  plugins::Device& device_;
};

}  // namespace ds4::validate
