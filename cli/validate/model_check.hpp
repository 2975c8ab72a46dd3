#pragma once

#include "common/runtime.hpp"
#include "validate/settings.hpp"

namespace ds4::validate {

/// Runs the layers of a real file one after the other on the backend and on the reference, both
/// with the reference's choices, and compares what leaves each layer.
[[nodiscard]] cli::ExitCode check_model(const cli::Console& console, const Settings& settings,
                                        const cli::Runtime& runtime,
                                        const plugins::Selected& selected);

}  // namespace ds4::validate
