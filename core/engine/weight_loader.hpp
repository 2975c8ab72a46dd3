#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"
#include "engine/weight_choice.hpp"
#include "model/model_file.hpp"
#include "plan/plan.hpp"
#include "wrap/device.hpp"
#include "wrap/objects.hpp"

namespace ds4 {

/// The weights of a model that are on one device.
struct ModelWeights {
  WeightTable global{};
  std::vector<WeightTable> layers;
  std::vector<plugins::Weight> owned;  ///< keeps the handles of the tables alive
  std::uint64_t device_bytes = 0;      ///< packed copies
  std::uint64_t in_place_bytes = 0;    ///< used where the file is mapped
};

/// Where the routed experts of a model are while it runs.
enum class Experts {
  resident,  ///< imported as every other weight
  streamed,  ///< with the host: their handles hold no bytes
};

/// Called after each piece of a tensor with the bytes done so far, of all bytes, and the tensor's
/// name.
using WeightProgress =
    std::function<void(std::uint64_t done, std::uint64_t total, std::string_view tensor)>;

/// Imports the tensors of the main model that are in the device's share. A type that the device
/// does not take is converted on the way to F16 or F32, whichever it takes first, and the log says
/// so with the size it then has.
///
/// Tensors are handed over in pieces, which a file's reader has ahead of their use (FileReader); no
/// page of the mapping becomes resident for them. Others stay mapped and are used in place.
/// Streamed experts count in no figure. Errors: unsupported naming the tensor, its type and the
/// device, before a byte is read; io naming the tensor and the place in the file; what the backend
/// reports.
Result<ModelWeights> load_weights(const ModelFile& model, plugins::Device& device,
                                  const DeviceShare& share, const LogSink& log,
                                  const WeightProgress& progress,
                                  Experts experts = Experts::resident);

/// The handle of a tensor of streamed experts. Errors: what the backend reports.
Result<plugins::Weight> import_streamed(const ModelFile& model, plugins::Device& device,
                                        const WeightItem& item);
/// Bytes that loading such weights reads.
[[nodiscard]] std::uint64_t bytes_to_load(const std::vector<WeightItem>& items, Experts experts);

}  // namespace ds4
