#include "common/numbers.hpp"

#include <charconv>
#include <cmath>

namespace ds4::cli {

Result<std::uint64_t> parse_integer(std::string_view text, std::uint64_t low, std::uint64_t high) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc{} || stop != end || value < low || value > high) {
    return fail(Errc::invalid_argument, "expected an integer from ", low, " to ", high, ", got '",
                text, "'");
  }
  return value;
}

Result<float> parse_float(std::string_view text, float low, float high) {
  float value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc{} || stop != end || !std::isfinite(value) || value < low ||
      value > high) {
    return fail(Errc::invalid_argument, "expected a number from ", low, " to ", high, ", got '",
                text, "'");
  }
  return value;
}

}  // namespace ds4::cli
