#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "ds4/backend.h"
#include "model/model_file.hpp"
#include "plan/placement.hpp"

namespace ds4 {

/// A tensor of the main model and where it belongs.
struct WeightItem {
  const TensorInfo* tensor = nullptr;
  TensorRole role = TensorRole::token_embd;
  std::uint32_t layer = DS4_NO_LAYER;
};

/// What a backend is told that a tensor of this role is (DS4_ROLE_*).
[[nodiscard]] std::uint32_t weight_role(TensorRole role) noexcept;

/// Every tensor that loading imports, in that order: what is outside the layers, then layer by
/// layer.
[[nodiscard]] std::vector<WeightItem> weight_items(const ModelFile& model);
/// Those of them that a device with this share of the model needs.
[[nodiscard]] std::vector<WeightItem> weight_items(const ModelFile& model,
                                                   const DeviceShare& share);

/// What importing a weight of this description would take.
using AskWeight = std::function<Result<ds4_weight_answer>(const ds4_weight_desc&)>;

/// What a backend is told about experts that stay with the host (DS4_WEIGHT_STREAMED). `name`
/// outlives it.
[[nodiscard]] ds4_weight_desc describe_streamed(const ModelFile& model, const WeightItem& item,
                                                const std::string& name);

/// How one tensor comes to the device.
struct WeightChoice {
  ds4_weight_desc desc;       ///< as it is imported; `name` points into `name` below
  ds4_weight_answer answer;   ///< to that description
  bool is_in_place = false;   ///< the file's pages are used where they are mapped
  bool is_converted = false;  ///< to another element type, on the way

  /// Bytes of device memory that the weight will hold.
  [[nodiscard]] std::uint64_t device_bytes() const noexcept {
    return is_in_place ? 0 : answer.packed_bytes != 0 ? answer.packed_bytes : desc.bytes;
  }
};

/// Decides for one tensor of `model`: in place if it is mapped and the device can, as stored if the
/// device takes that, else converted to F16 or F32,
/// whichever it takes first. `name` outlives the choice.
/// Errors: unsupported naming the tensor and its type; what `ask` reports.
Result<WeightChoice> choose_weight(const ModelFile& model, const WeightItem& item,
                                   const std::string& name, const AskWeight& ask);

}  // namespace ds4
