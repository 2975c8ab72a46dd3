#pragma once

#include <string>
#include <string_view>

namespace ds4::cli {

/// "ds4-run 0.1.0 (commit abc, Release, GNU 12.2.0), backends built: cpu-reference metal-stub".
[[nodiscard]] std::string version_line(std::string_view program);

}  // namespace ds4::cli
