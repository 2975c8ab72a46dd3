#pragma once

#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "engine/expert_cache.hpp"
#include "engine/weight_choice.hpp"
#include "model/model_file.hpp"
#include "wrap/device.hpp"

namespace ds4 {

/// What the routed experts of a model take as a device reads them one by one.
struct ExpertLayout {
  std::vector<ExpertBytes> layers;
  std::uint32_t experts = 0;        ///< of a layer
  std::uint32_t least = 0;          ///< a device asks for no more at once: what one token uses
  std::uint64_t tensor_bytes = 0;   ///< all of them, as stored
  std::uint64_t largest_piece = 0;  ///< of one tensor, one expert as stored

  /// Asks the device about each tensor. Errors: unsupported naming the tensor; what `ask` reports.
  static Result<ExpertLayout> make(const ModelFile& model, const AskWeight& ask);

  [[nodiscard]] std::uint64_t all() const noexcept {
    return layers.size() * std::uint64_t{experts};
  }
  [[nodiscard]] std::uint64_t slot_bytes() const noexcept {
    return ExpertCache::slot_bytes(layers);
  }
};

/// Threads that read experts side by side: enough to keep a disk's queue filled.
inline constexpr std::uint32_t kExpertReaders = 4;

/// Reads experts from the model and has the device's backend pack them. Each reader reads into
/// memory of its own, at most layout.largest_piece bytes. `model` and `device` outlive the source.
ExpertSource expert_source(const ModelFile& model, const plugins::Device& device,
                           const ExpertLayout& layout);

}  // namespace ds4
