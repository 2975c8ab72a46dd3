#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tests/conformance/harness/case.hpp"

/// The ops' formulas in double precision, with how far f32 arithmetic may be off.
///
/// An error is the root mean square of a random walk, in units of eps_f32: a sum of K terms t has
/// sqrt(K) * |t| (each of K partial sums is rounded once and is as large as |t| on average), and
/// independent errors add as squares. This is what the usual norm-wise bounds multiply away.
/// Nothing here is shared with a backend.
namespace ds4::conformance {

[[nodiscard]] Estimate exact(std::span<const float> x);
/// Values begin .. begin + count - 1.
[[nodiscard]] Estimate slice(const Estimate& x, std::size_t begin, std::size_t count);
void append(Estimate& to, const Estimate& from);
/// weight x, for the rows begin .. begin + count - 1 of the weight.
/// Where the device may round x to int8 (Weight::int8_block), the error has the deviation of that
/// rounding: step / sqrt(12) of each value of a block, a step being its largest / 127.
[[nodiscard]] Estimate product(const Weight& weight, const Estimate& x, std::size_t begin,
                               std::size_t count);
[[nodiscard]] Estimate product(const Weight& weight, const Estimate& x);
/// Sum of x y, one value.
[[nodiscard]] Estimate dot(const Estimate& x, const Estimate& y);
/// Element by element: x + y, x y, and factor x.
[[nodiscard]] Estimate sum(const Estimate& x, const Estimate& y);
[[nodiscard]] Estimate times(const Estimate& x, const Estimate& y);
[[nodiscard]] Estimate scaled(const Estimate& x, double factor);
/// Sum over s of factors[s] * parts[s], the parts being `width` values each, side by side.
[[nodiscard]] Estimate mixed(const Estimate& factors, const Estimate& parts, std::size_t width);
/// gain * x / sqrt(mean(x^2) + eps).
[[nodiscard]] Estimate normed(const Estimate& x, const Weight* gain, double eps);
[[nodiscard]] Estimate logistic(const Estimate& x);
/// silu(min(gate, limit)) * clamp(up, -limit, limit); limit 0 clamps nothing. What lies beyond the
/// limit has the error that reaches back across it, and none where none does.
[[nodiscard]] Estimate gated(const Estimate& gate, const Estimate& up, double limit);
/// The last rope.dims values turned by a position.
[[nodiscard]] Estimate rotated(const Estimate& x, const ds4_rope& rope, std::int32_t position);
/// ds4_rounding as ops.h has it. Errors stay those of the values before: a value near a boundary
/// may take the neighbouring code, which a check counts apart.
[[nodiscard]] Estimate rounded(const Estimate& x, const ds4_rounding& rounding);

/// The Sinkhorn rounds of sinkhorn_split on an n x n matrix: softmax of the rows plus eps, columns,
/// then rows and columns in turn.
[[nodiscard]] Estimate balanced(const Estimate& x, std::size_t n, std::uint32_t rounds, double eps);

/// One entry of a softmax: its logit and what is weighted.
struct Entry {
  double logit = 0;
  double logit_error = 0;
  std::span<const float> row;
};
/// Sum of softmax(logits) * rows; a finite `sink` takes a share for nothing. No entries: zeros.
[[nodiscard]] Estimate weighted(std::span<const Entry> entries, const float* sink,
                                std::size_t width);

}  // namespace ds4::conformance
