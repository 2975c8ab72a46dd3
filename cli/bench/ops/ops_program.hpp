#pragma once

#include <string>
#include <vector>

#include "common/exit_code.hpp"

namespace ds4::bench {

/// `ds4-bench ops`: `arguments` are those behind the word.
cli::ExitCode run_ops_program(const std::vector<std::string>& arguments);

}  // namespace ds4::bench
