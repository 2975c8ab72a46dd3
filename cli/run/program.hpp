#pragma once

#include <string>
#include <vector>

#include "common/exit_code.hpp"

namespace ds4::run {

/// ds4-run without what only main() can do. `arguments`: those after the program's name.
cli::ExitCode run_program(std::vector<std::string> arguments);

}  // namespace ds4::run
