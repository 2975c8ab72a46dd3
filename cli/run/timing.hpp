#pragma once

#include <string>

#include "run/generate.hpp"

namespace ds4::run {

/// "ds4: prefill: X t/s, generation: Y t/s" and a second line with counts and seconds. X counts
/// only the tokens that were evaluated.
[[nodiscard]] std::string timing_lines(const Generated& result);

}  // namespace ds4::run
