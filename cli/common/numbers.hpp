#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace ds4::cli {

/// A decimal integer in [low, high]; the whole text counts. Errors: invalid_argument, saying the
/// range and what was given.
Result<std::uint64_t> parse_integer(std::string_view text, std::uint64_t low, std::uint64_t high);

/// A finite decimal number in the closed range [low, high]; the whole text counts.
/// Errors: invalid_argument, likewise.
Result<float> parse_float(std::string_view text, float low, float high);

/// Largest value of an integer option unless it says otherwise.
inline constexpr std::uint64_t kMaxInteger = 2147483647;

}  // namespace ds4::cli
