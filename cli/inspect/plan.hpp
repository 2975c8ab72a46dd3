#pragma once

#include <string>

#include "base/result.hpp"
#include "engine/engine.hpp"
#include "inspect/options.hpp"
#include "model/model_file.hpp"

namespace ds4::inspect {

/// The memory plan (of the devices, or estimated without one), KV sizes of some contexts, and the
/// bytes that a decoded token reads, by component. From the header alone.
/// Errors: those of MemoryPlanner.
Result<std::string> plan_model(const ModelFile& model, const InspectOptions& options,
                               const EngineDevices& devices);

}  // namespace ds4::inspect
