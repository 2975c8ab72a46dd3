#pragma once

#include <optional>
#include <string>

#include "base/result.hpp"
#include "common/console.hpp"
#include "common/environment.hpp"
#include "common/exit_code.hpp"
#include "common/option_table.hpp"
#include "common/runtime_options.hpp"

namespace ds4::cli {

/// A result on standard output; a stream that does not take it is a failure.
ExitCode print(const Console& console, const std::string& text);

/// True when the command line only asks the program about itself: help, version or backends.
[[nodiscard]] bool only_asks(const RuntimeOptions& options) noexcept;

/// What a program that shares the runtime options says before it does anything: the complaint about
/// a wrong command line (for an option that does not exist with the help), else help, version or
/// backends. Nothing when there is work to do. `parsed`: of the command line, checks included.
std::optional<ExitCode> first_answer(const Console& console, const OptionTable& table,
                                     const Result<void>& parsed, const RuntimeOptions& options,
                                     const Environment& environment);

}  // namespace ds4::cli
