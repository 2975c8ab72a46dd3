#pragma once

#include <string>
#include <string_view>

namespace ds4::plugins {

/// Text of a backend made fit for one line of output: control characters become spaces, bytes that
/// are no UTF-8 become '?'.
[[nodiscard]] std::string clean_text(std::string_view text);

}  // namespace ds4::plugins
