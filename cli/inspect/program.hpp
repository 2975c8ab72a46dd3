#pragma once

#include <string>
#include <vector>

#include "common/exit_code.hpp"

namespace ds4::inspect {

/// ds4-inspect with these arguments (without the program's name); the exit status.
[[nodiscard]] cli::ExitCode run_program(const std::vector<std::string>& arguments);

}  // namespace ds4::inspect
