#pragma once

#include <string_view>

#include "base/log.hpp"
#include "base/result.hpp"

namespace ds4::cli {

/// "error", "warning", "info", "debug", "trace". Errors: invalid_argument, listing the names.
Result<LogLevel> parse_log_level(std::string_view name);

/// Messages up to `level` as lines "ds4 [level] component: text" on stderr. Any thread.
[[nodiscard]] LogSink stderr_log(LogLevel level, bool colors);

}  // namespace ds4::cli
