#pragma once

#include <string>
#include <vector>

#include "common/exit_code.hpp"

namespace ds4::bench {

/// All of ds4-bench but main(): `arguments` without the program's name.
cli::ExitCode run_program(std::vector<std::string> arguments);

}  // namespace ds4::bench
