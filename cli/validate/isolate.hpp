#pragma once

#include <string>
#include <vector>

#include "validate/report.hpp"
#include "validate/settings.hpp"

namespace ds4::validate {

/// Runs each stage, or each op of a stage, in a process of its own: a crash or a run beyond the
/// limit becomes a row. `arguments`: those of this program.
void run_isolated(const Settings& settings, const std::vector<std::string>& arguments,
                  Report& report);

}  // namespace ds4::validate
