#pragma once

#include <cstdint>

namespace ds4 {

/// IEEE binary16 to float: exact, subnormals, infinities and NaN included.
[[nodiscard]] float half_to_float(std::uint16_t bits) noexcept;

/// float to binary16, round to nearest even; overflow gives infinity, NaN stays a quiet NaN.
[[nodiscard]] std::uint16_t float_to_half(float value) noexcept;

/// bfloat16 to float: exact.
[[nodiscard]] float bfloat_to_float(std::uint16_t bits) noexcept;

/// float to bfloat16, round to nearest even; NaN stays a quiet NaN.
[[nodiscard]] std::uint16_t float_to_bfloat(float value) noexcept;

}  // namespace ds4
