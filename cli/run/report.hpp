#pragma once

#include <string>
#include <string_view>

#include "common/runtime.hpp"
#include "run/session.hpp"

namespace ds4::run {

/// The parts of --report that need no model: version, system, backends with their reasons, options.
/// Holds no prompt text; the home folder is written as ~ and other folders of files are left out.
[[nodiscard]] std::string system_report(const cli::Runtime& runtime, const RunOptions& options,
                                        const cli::Environment& environment);

/// The parts about a loaded model: shape, types, hash, memory, composed ops.
[[nodiscard]] std::string model_report(Session& session);

/// `text` with the home folder and the user's name in /home paths replaced by "~".
[[nodiscard]] std::string without_home(std::string text, const std::string& home);

}  // namespace ds4::run
