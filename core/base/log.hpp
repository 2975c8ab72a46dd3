#pragma once

#include <functional>
#include <string_view>

namespace ds4 {

/// Numbered as DS4_LOG_* of the plugin ABI.
enum class LogLevel : unsigned { error = 0, warning = 1, info = 2, debug = 3, trace = 4 };

/// Where messages go; passed in by the program (core reads no environment and owns no sink).
/// An empty function drops them. May be called from any thread.
using LogSink = std::function<void(LogLevel, std::string_view component, std::string_view text)>;

}  // namespace ds4
