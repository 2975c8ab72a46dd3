#pragma once

#include <string>

#include "base/result.hpp"
#include "inspect/options.hpp"
#include "model/model_file.hpp"
#include "wrap/device.hpp"

namespace ds4::inspect {

/// The memory plan (of a device, or estimated without one), KV sizes of some contexts, and the
/// bytes that a decoded token reads, by component. From the header alone.
/// Errors: those of MemoryPlanner.
Result<std::string> plan_model(const ModelFile& model, const InspectOptions& options,
                               const plugins::Device* maybe_device);

}  // namespace ds4::inspect
