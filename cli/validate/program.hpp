#pragma once

#include <string>
#include <vector>

#include "common/exit_code.hpp"

namespace ds4::validate {

/// ds4-validate with the arguments after its name.
[[nodiscard]] cli::ExitCode run_program(const std::vector<std::string>& arguments);

}  // namespace ds4::validate
