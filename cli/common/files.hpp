#pragma once

#include <string>

#include "base/result.hpp"

namespace ds4::cli {

/// All bytes of a file. Errors: not_found, io.
Result<std::string> read_file(const std::string& path);
/// All bytes of standard input. Errors: io.
Result<std::string> read_standard_input();

}  // namespace ds4::cli
