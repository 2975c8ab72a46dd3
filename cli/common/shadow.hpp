#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "common/console.hpp"
#include "common/option_table.hpp"
#include "common/runtime_options.hpp"
#include "engine/shadow_options.hpp"

namespace ds4::cli {

/// "NAME[:DEVICE][:every=N]"; "every=N" alone means the reference.
/// Errors: invalid_argument with one line.
Result<ShadowRequest> parse_shadow(std::string_view text);

/// Adds --shadow; for programs that run models.
void declare_shadow_option(OptionTable& table, RuntimeOptions& options);

/// "shadow cpu-reference: 1204 ops of 12 of 12 steps compared, none out of tolerance; ...".
[[nodiscard]] std::string shadow_summary(const ShadowReport& report);

/// The summary as a note, and at level debug a line for each output of an op.
void say_shadow(const Console& console, const LogSink& log, const ShadowReport& report);

}  // namespace ds4::cli
