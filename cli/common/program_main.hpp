#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/exit_code.hpp"

namespace ds4::cli {

/// What main() of each program is: answers the probe of a plugin first, makes writes that cannot go
/// on errors instead of signals, and turns an exception that nobody caught into one line.
[[nodiscard]] int program_main(int argc, char** argv, const char* name,
                               const std::function<ExitCode(std::vector<std::string>)>& run);

}  // namespace ds4::cli
