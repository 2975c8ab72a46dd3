#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "tests/conformance/harness/case.hpp"

/// Double-precision pieces of the norm-wise bounds: what a case knows about its own inputs. None of
/// this is compared with results; it only says how large rounding errors can become.
namespace ds4::conformance {

[[nodiscard]] double norm2(std::span<const float> x);
[[nodiscard]] double norm2(std::span<const double> x);
[[nodiscard]] double max_abs(std::span<const float> x);
/// sqrt(mean(x^2) + eps).
[[nodiscard]] double rms(std::span<const double> x, double eps);
[[nodiscard]] std::vector<double> widen(std::span<const float> x);

/// weight x, for the rows begin .. begin + count - 1 of the weight.
[[nodiscard]] std::vector<double> product(const Weight& weight, std::span<const double> x,
                                          std::size_t begin, std::size_t count);
[[nodiscard]] std::vector<double> product(const Weight& weight, std::span<const double> x);
/// The largest norm of a row among rows begin .. begin + count - 1.
[[nodiscard]] double max_row_norm(const Weight& weight, std::size_t begin, std::size_t count);
[[nodiscard]] double max_row_norm(const Weight& weight);
/// gain * x / rms(x).
[[nodiscard]] std::vector<double> normed(std::span<const double> x, const Weight* gain, double eps);
[[nodiscard]] double sigmoid(double x);

/// A bound that is made once per row: one value per column, or a single value for all of them.
[[nodiscard]] ElementBound per_row(std::function<std::vector<double>(std::size_t row)> make);

/// Step between neighbouring codes around `value` where the model rounds (ops.h, ds4_rounding). A
/// block whose scale itself falls on the other side has codes twice as far apart, hence `scale`
/// times 2 at the small end.
[[nodiscard]] double fp8_step(double value, double row_max);
[[nodiscard]] double fp4_step(double value, double row_max);
[[nodiscard]] double bf16_step(double value);

/// The two RoPE kinds of the model: plain, and YaRN as layers with a ratio have it.
[[nodiscard]] ds4_rope rope(std::uint32_t dims, bool is_yarn, bool is_inverse = false);

/// Positions of rows that cover the start, the YaRN border and the far end of a context.
[[nodiscard]] std::vector<std::int32_t> positions(Case& c, std::uint32_t rows);

}  // namespace ds4::conformance
