#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "tests/conformance/harness/case.hpp"

/// Pieces that many cases share: sizes of inputs, steps of the model's roundings, rotations.
namespace ds4::conformance {

[[nodiscard]] double norm2(std::span<const float> x);
[[nodiscard]] double norm2(std::span<const double> x);
[[nodiscard]] double max_abs(std::span<const float> x);
[[nodiscard]] double sigmoid(double x);

/// Columns of the k largest, ties to the lower one, NaN after every number, -inf never; -1 where
/// there are fewer.
[[nodiscard]] std::vector<std::int32_t> largest(std::span<const float> x, std::size_t k);

/// Values that are made once per row.
[[nodiscard]] std::function<double(std::size_t row, std::size_t column)> per_row(
    std::function<std::vector<double>(std::size_t row)> make);

/// Step between neighbouring codes around `value` where the model rounds (ops.h, ds4_rounding). A
/// block whose scale itself falls on the other side has codes twice as far apart, hence `scale`
/// times 2 at the small end.
[[nodiscard]] double fp8_step(double value, double row_max);
[[nodiscard]] double fp4_step(double value, double row_max);
[[nodiscard]] double bf16_step(double value);

/// Cached rows of the model grid: the ends of windows, of pages and of the index's choice.
inline constexpr std::array<std::uint32_t, 10> kModelCounts{0,   1,   127, 128,  129,
                                                            511, 512, 513, 4095, 16384};

/// The two RoPE kinds of the model: plain, and YaRN as layers with a ratio have it.
[[nodiscard]] ds4_rope rope(std::uint32_t dims, bool is_yarn, bool is_inverse = false);

/// Positions of rows that cover the start, the YaRN border and the far end of a context.
[[nodiscard]] std::vector<std::int32_t> positions(Case& c, std::uint32_t rows);

}  // namespace ds4::conformance
