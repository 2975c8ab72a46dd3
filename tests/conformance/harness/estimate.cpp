#include "tests/conformance/harness/estimate.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tests/conformance/tolerances.hpp"

namespace ds4::conformance {
namespace {

double square(double x) {
  return x * x;
}

Estimate blank(std::size_t count) {
  return {std::vector<double>(count, 0), std::vector<double>(count, 0)};
}

/// 2^ceil(log2(x)) for a positive f32 value.
double power_above(float x) {
  int exponent = 0;
  const float fraction = std::frexp(x, &exponent);
  return std::ldexp(1.0, fraction == 0.5F ? exponent - 1 : exponent);
}

/// x in steps of 2^-bits of its own power of two, which is 2^least at the small end; ties to even.
double in_steps(double x, int bits, int least) {
  if (x == 0) return x;
  const double step = std::ldexp(1.0, std::max(std::ilogb(x), least) - bits);
  return std::nearbyint(x / step) * step;
}

double fp8(double x) {
  return in_steps(std::clamp(x, -448.0, 448.0), 3, -6);
}
double fp4(double x) {
  return in_steps(std::clamp(x, -6.0, 6.0), 1, 0);
}

void transform(Estimate& x) {
  const std::size_t n = x.value.size();
  const Estimate from = x;
  double error = 0;
  for (const double e : from.error) error += e * e;
  double size = 0;
  for (const double v : from.value) size += v * v;
  const auto count = static_cast<double>(n);
  for (std::size_t i = 0; i < n; ++i) {
    double total = 0;
    for (std::size_t j = 0; j < n; ++j) {
      // Entry (i, j) of the natural-order matrix: the parity of the bits that both share.
      bool is_odd = false;
      for (std::size_t both = i & j; both != 0; both &= both - 1) is_odd = !is_odd;
      total += is_odd ? -from.value[j] : from.value[j];
    }
    x.value[i] = total / std::sqrt(count);
    // Every input weighs the same; log2(n) levels of additions.
    x.error[i] = std::sqrt((error + (std::log2(count) + 2) * size) / count);
  }
}

/// Variance of each value of x after rounding to int8 in blocks, in units of eps_f32^2: an error
/// anywhere within half a step, a step being 1 / 127 of the block's largest value.
std::vector<double> int8_variances(const Estimate& x, std::uint32_t block) {
  std::vector<double> result(x.value.size(), 0);
  for (std::size_t begin = 0; block != 0 && begin < result.size(); begin += block) {
    const std::size_t end = std::min<std::size_t>(begin + block, result.size());
    double largest = 0;
    for (std::size_t k = begin; k < end; ++k) largest = std::max(largest, std::abs(x.value[k]));
    const double variance = square(largest / 127 / kEpsF32) / 12;
    for (std::size_t k = begin; k < end; ++k) result[k] = variance;
  }
  return result;
}

/// The error that is left of a value which lies `beyond` a clamp (below 0: within it): a road gives
/// another value than the clamp's only where its own error reaches back to it, and then by the rest
/// of that error. kReach deviations are what tolerances.hpp lets a value be off.
double error_beyond(double beyond, double error) {
  constexpr double kReach = 8;
  if (!(beyond > 0)) return error;
  return std::max(0.0, error - beyond / (kReach * kEpsF32));
}

void round_blocks(std::span<double> x, const ds4_rounding& rounding) {
  const bool is_fp8 = rounding.format == DS4_ROUND_FP8_E4M3;
  for (std::size_t begin = 0; begin < x.size(); begin += rounding.block) {
    const auto block = x.subspan(begin, std::min<std::size_t>(rounding.block, x.size() - begin));
    double largest = is_fp8 ? 1e-4 : 6 * 0x1p-126;
    for (const double v : block) largest = std::max(largest, std::abs(v));
    const double scale = power_above(static_cast<float>(largest) / (is_fp8 ? 448.0F : 6.0F));
    for (double& v : block) v = (is_fp8 ? fp8(v / scale) : fp4(v / scale)) * scale;
  }
}

}  // namespace

Estimate exact(std::span<const float> x) {
  return {{x.begin(), x.end()}, std::vector<double>(x.size(), 0)};
}

Estimate slice(const Estimate& x, std::size_t begin, std::size_t count) {
  const auto part = [&](const std::vector<double>& from) {
    const auto first = from.begin() + static_cast<std::ptrdiff_t>(begin);
    return std::vector<double>(first, first + static_cast<std::ptrdiff_t>(count));
  };
  return {part(x.value), part(x.error)};
}

void append(Estimate& to, const Estimate& from) {
  to.value.insert(to.value.end(), from.value.begin(), from.value.end());
  to.error.insert(to.error.end(), from.error.begin(), from.error.end());
}

Estimate dot(const Estimate& x, const Estimate& y) {
  double value = 0;
  double terms = 0;
  double carried = 0;
  for (std::size_t i = 0; i < x.value.size(); ++i) {
    value += x.value[i] * y.value[i];
    terms += square(x.value[i] * y.value[i]);
    carried += square(x.error[i] * y.value[i]) + square(x.value[i] * y.error[i]);
  }
  return {{value}, {std::sqrt(static_cast<double>(x.value.size()) * terms + carried)}};
}

Estimate product(const Weight& weight, const Estimate& x, std::size_t begin, std::size_t count) {
  const std::size_t width = x.value.size();
  // What x brings and what rounding it to int8 adds: squares, weighted by those of the weights.
  std::vector<double> carried = int8_variances(x, weight.int8_block);
  for (std::size_t k = 0; k < width; ++k) carried[k] += square(x.error[k]);
  Estimate y = blank(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::span<const float> row = weight.row(begin + i);
    double terms = 0;
    double brought = 0;
    for (std::size_t k = 0; k < width; ++k) {
      const auto w = static_cast<double>(row[k]);
      const double term = w * x.value[k];
      y.value[i] += term;
      terms += square(term);
      brought += square(w) * carried[k];
    }
    y.error[i] = std::sqrt(static_cast<double>(width) * terms + brought);
  }
  return y;
}

Estimate product(const Weight& weight, const Estimate& x) {
  return product(weight, x, 0, weight.rows());
}

Estimate sum(const Estimate& x, const Estimate& y) {
  Estimate z = blank(x.value.size());
  for (std::size_t i = 0; i < x.value.size(); ++i) {
    z.value[i] = x.value[i] + y.value[i];
    z.error[i] = std::hypot(x.error[i], y.error[i], z.value[i]);
  }
  return z;
}

Estimate times(const Estimate& x, const Estimate& y) {
  Estimate z = blank(x.value.size());
  for (std::size_t i = 0; i < x.value.size(); ++i) {
    z.value[i] = x.value[i] * y.value[i];
    z.error[i] = std::hypot(x.error[i] * y.value[i], x.value[i] * y.error[i], z.value[i]);
  }
  return z;
}

Estimate scaled(const Estimate& x, double factor) {
  const double one = factor;
  return times(x, {std::vector<double>(x.value.size(), one),
                   std::vector<double>(x.value.size(), std::abs(one))});
}

Estimate mixed(const Estimate& factors, const Estimate& parts, std::size_t width) {
  Estimate y = blank(width);
  const std::size_t count = factors.value.size();
  for (std::size_t d = 0; d < width; ++d) {
    Estimate column = blank(count);
    for (std::size_t s = 0; s < count; ++s) {
      column.value[s] = parts.value[s * width + d];
      column.error[s] = parts.error[s * width + d];
    }
    const Estimate one = dot(factors, column);
    y.value[d] = one.value[0];
    y.error[d] = one.error[0];
  }
  return y;
}

Estimate normed(const Estimate& x, const Weight* gain, double eps) {
  const auto n = static_cast<double>(x.value.size());
  double squares = 0;
  double carried = 0;
  for (std::size_t i = 0; i < x.value.size(); ++i) {
    squares += square(x.value[i]);
    carried += square(x.value[i] * x.error[i]);
  }
  const double r = std::sqrt(squares / n + eps);
  // Relative error of 1 / r: half of that of the sum of n squares, what x brings, and two
  // roundings.
  const double share = n / 4 + carried / square(n * r * r) + 4;
  Estimate y = blank(x.value.size());
  for (std::size_t i = 0; i < x.value.size(); ++i) {
    const double factor = (gain ? static_cast<double>(gain->values[i]) : 1) / r;
    y.value[i] = x.value[i] * factor;
    y.error[i] = std::abs(factor) * std::sqrt(square(x.error[i]) + square(x.value[i]) * share);
  }
  return y;
}

Estimate logistic(const Estimate& x) {
  Estimate y = blank(x.value.size());
  for (std::size_t i = 0; i < x.value.size(); ++i) {
    const double v = 1 / (1 + std::exp(-x.value[i]));
    y.value[i] = v;
    // The steepest slope within reach: int8 activations may move x by more than the curve is wide.
    const double nearest = std::max(std::abs(x.value[i]) - 4 * kEpsF32 * x.error[i], 0.0);
    const double steep = 1 / (1 + std::exp(nearest));
    // exp, sum and quotient round once each.
    y.error[i] = std::hypot(steep * (1 - steep) * x.error[i], 2 * v);
  }
  return y;
}

Estimate gated(const Estimate& gate, const Estimate& up, double limit) {
  Estimate g = gate;
  Estimate u = up;
  for (std::size_t i = 0; limit > 0 && i < g.value.size(); ++i) {
    g.error[i] = error_beyond(g.value[i] - limit, g.error[i]);
    u.error[i] = error_beyond(std::abs(u.value[i]) - limit, u.error[i]);
    g.value[i] = std::min(g.value[i], limit);
    u.value[i] = std::clamp(u.value[i], -limit, limit);
  }
  // The slope of silu lies within 1.1 of 0; times() knows that of the sigmoid apart.
  return times(times(g, logistic(g)), u);
}

Estimate rotated(const Estimate& x, const ds4_rope& rope, std::int32_t position) {
  Estimate y = x;
  const std::size_t first = x.value.size() - rope.dims;
  const double dims = rope.dims;
  for (std::uint32_t i = 0; i < rope.dims / 2; ++i) {
    double frequency = std::pow(rope.base, -2.0 * i / dims);
    if ((rope.flags & DS4_ROPE_YARN) != 0) {
      const auto border = [&](double turns) {
        return dims * std::log(rope.original_context / (turns * 2 * std::numbers::pi)) /
               (2 * std::log(rope.base));
      };
      const double low = std::max(std::floor(border(rope.beta_fast)), 0.0);
      const double high = std::min(std::ceil(border(rope.beta_slow)), dims - 1);
      const double ramp = std::clamp((i - low) / std::max(high - low, 0.001), 0.0, 1.0);
      frequency *= ramp / rope.factor + (1 - ramp);
    }
    // The angle is an f32 value of the model.
    const float angle = static_cast<float>(position) * static_cast<float>(frequency);
    const double turn = (rope.flags & DS4_ROPE_INVERSE) != 0 ? -1.0 : 1.0;
    const double cosine = std::cos(static_cast<double>(angle));
    const double sine = turn * std::sin(static_cast<double>(angle));
    const std::size_t at = first + 2 * std::size_t{i};
    const double a = x.value[at];
    const double b = x.value[at + 1];
    y.value[at] = a * cosine - b * sine;
    y.value[at + 1] = a * sine + b * cosine;
    // Two products and a sum of values no larger than the pair, sine and cosine off by 1 each.
    const double own = 2 * std::hypot(a, b);
    y.error[at] = std::hypot(x.error[at] * cosine, x.error[at + 1] * sine, own);
    y.error[at + 1] = std::hypot(x.error[at] * sine, x.error[at + 1] * cosine, own);
  }
  return y;
}

Estimate rounded(const Estimate& x, const ds4_rounding& rounding) {
  Estimate y = x;
  if ((rounding.flags & DS4_ROUNDING_HADAMARD) != 0) transform(y);
  const std::span all(y.value);
  const std::size_t coded = all.size() - rounding.tail;
  if (rounding.format != DS4_ROUND_NONE) round_blocks(all.first(coded), rounding);
  if ((rounding.flags & DS4_ROUNDING_TAIL_BF16) != 0) {
    for (double& v : all.subspan(coded)) v = in_steps(v, 7, -126);
  }
  return y;
}

Estimate balanced(const Estimate& x, std::size_t n, std::uint32_t rounds, double eps) {
  Estimate y = x;
  // Sums over row i with a stride of 1 and n, or over column i with both changed.
  const auto normalise = [&](std::size_t along, std::size_t across, double floor) {
    for (std::size_t i = 0; i < n; ++i) {
      double total = floor;
      for (std::size_t j = 0; j < n; ++j) total += y.value[i * across + j * along];
      for (std::size_t j = 0; j < n; ++j) y.value[i * across + j * along] /= total;
    }
  };
  double carried = 0;
  for (std::size_t i = 0; i < x.value.size(); ++i) {
    // The rounding of the difference to the row's largest value, and exp itself.
    const auto row = std::span(x.value).subspan(i / n * n, n);
    const double shift = x.value[i] - *std::max_element(row.begin(), row.end());
    const double share = std::exp(shift);
    carried = std::max(carried, square(x.error[i]) + square(share * shift) + 4);
    y.value[i] = share;
  }
  normalise(1, n, 0);
  for (double& value : y.value) value += eps;
  normalise(n, 1, eps);
  for (std::uint32_t round = 1; round < rounds; ++round) {
    normalise(1, n, eps);
    normalise(n, 1, eps);
  }
  // Normalising moves a value by no more than the mean of its row or column moves: 2 at most for
  // both; and each of the 2 * rounds sums of n and quotients rounds.
  const double steps = 2.0 * rounds * (static_cast<double>(n) + 1);
  for (std::size_t i = 0; i < y.value.size(); ++i) {
    y.error[i] = y.value[i] * std::sqrt(4 * carried + steps);
  }
  return y;
}

Estimate weighted(std::span<const Entry> entries, const float* sink, std::size_t width) {
  Estimate y = blank(width);
  if (entries.empty()) return y;
  double top = sink ? static_cast<double>(*sink) : entries[0].logit;
  for (const Entry& entry : entries) top = std::max(top, entry.logit);
  double total = sink ? std::exp(static_cast<double>(*sink) - top) : 0;
  std::vector<double> weights;
  for (const Entry& entry : entries) weights.push_back(std::exp(entry.logit - top));
  for (const double weight : weights) total += weight;
  const auto count = static_cast<double>(entries.size());
  for (double& weight : weights) weight /= total;
  for (std::size_t e = 0; e < entries.size(); ++e) {
    const double weight = weights[e];
    for (std::size_t d = 0; d < width; ++d) {
      y.value[d] += weight * static_cast<double>(entries[e].row[d]);
    }
  }
  // A weight's relative error: its logit's, the rounding of the difference to the largest, and
  // exp itself. It moves y by the distance of the row from y. Then two sums of `count` terms.
  std::vector<double> squares(width);
  for (std::size_t d = 0; d < width; ++d) {
    squares[d] = square(2 * y.value[d]) + count * square(y.value[d]);
  }
  for (std::size_t e = 0; e < entries.size(); ++e) {
    const double weight = weights[e];
    const double relative = square(entries[e].logit_error) + square(entries[e].logit - top) + 4;
    for (std::size_t d = 0; d < width; ++d) {
      const double value = static_cast<double>(entries[e].row[d]);
      squares[d] +=
          square(weight * (value - y.value[d])) * relative + count * square(weight * value);
    }
  }
  for (std::size_t d = 0; d < width; ++d) y.error[d] = std::sqrt(squares[d]);
  return y;
}

}  // namespace ds4::conformance
