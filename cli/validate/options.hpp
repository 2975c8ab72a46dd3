#pragma once

#include "common/option_table.hpp"
#include "validate/settings.hpp"

namespace ds4::validate {

/// The options of ds4-validate; `settings` outlives the table.
[[nodiscard]] cli::OptionTable make_option_table(Settings& settings);

/// What no single option can tell. Errors: invalid_argument.
Result<void> check_settings(Settings& settings);

}  // namespace ds4::validate
