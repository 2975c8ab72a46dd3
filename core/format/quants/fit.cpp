#include "format/quants/fit.hpp"

#include <algorithm>
#include <cmath>

#include "format/quants/codec.hpp"

namespace ds4::quants {
namespace {

struct Sums {
  double w = 0, x = 0, q = 0, qq = 0, qx = 0;
};

// Error of scale * q + offset against x, up to the constant sum of w x^2.
double fit_error(const Sums& s, double scale, double offset) {
  return scale * scale * s.qq + offset * offset * s.w + 2 * scale * offset * s.q -
         2 * scale * s.qx - 2 * offset * s.x;
}

}  // namespace

int quantum(double value, double step, int low, int high) noexcept {
  if (step == 0) return std::clamp(0, low, high);
  const double ratio = std::round(value / step);
  if (!(ratio > low)) return low;
  if (ratio > high) return high;
  return static_cast<int>(ratio);
}

AffineFit fit_affine(const float* x, const float* weights, std::size_t n, int levels) noexcept {
  const double lowest = std::min(0.0, static_cast<double>(*std::min_element(x, x + n)));
  const double highest = *std::max_element(x, x + n);
  if (highest <= lowest) return {0, -lowest};
  AffineFit best{(highest - lowest) / levels, -lowest};
  double best_error = HUGE_VAL;
  // Slightly fewer or more levels than there are: large values may clip when that helps the rest.
  for (int trial = -5; trial <= 5; ++trial) {
    const double step = (highest - lowest) / (levels + 0.1 * trial);
    Sums s;
    for (std::size_t i = 0; i < n; ++i) {
      const double w = weights != nullptr ? static_cast<double>(weights[i]) : 1.0;
      const double q = quantum(x[i] - lowest, step, 0, levels);
      s.w += w;
      s.x += w * x[i];
      s.q += w * q;
      s.qq += w * q * q;
      s.qx += w * q * x[i];
    }
    const double determinant = s.w * s.qq - s.q * s.q;
    if (!(determinant > 0)) continue;
    double scale = (s.w * s.qx - s.x * s.q) / determinant;
    double offset = (s.qq * s.x - s.q * s.qx) / determinant;
    if (offset > 0) {
      offset = 0;
      scale = s.qx / s.qq;
    }
    const double error = fit_error(s, scale, offset);
    if (scale > 0 && error < best_error) {
      best_error = error;
      best = {scale, -offset};
    }
  }
  return best;
}

double fit_symmetric(const float* x, const float* weights, std::size_t n, int half) noexcept {
  const float* peak =
      std::max_element(x, x + n, [](float a, float b) { return std::fabs(a) < std::fabs(b); });
  if (*peak == 0) return 0;
  double best = static_cast<double>(*peak) / -half;
  double best_gain = 0;
  for (int trial = -9; trial <= 9; ++trial) {
    const double step = static_cast<double>(*peak) / -(half + 0.1 * trial);
    Sums s;
    for (std::size_t i = 0; i < n; ++i) {
      const double w = weights != nullptr ? static_cast<double>(weights[i]) : 1.0;
      const double q = quantum(x[i], step, -half, half - 1);
      s.qq += w * q * q;
      s.qx += w * q * x[i];
    }
    // The least-squares scale qx / qq removes qx^2 / qq from the error.
    if (s.qq > 0 && s.qx * s.qx / s.qq > best_gain) {
      best_gain = s.qx * s.qx / s.qq;
      best = s.qx / s.qq;
    }
  }
  return best;
}

SixBitPairs load_six_bit_pairs(const std::byte* packed) noexcept {
  SixBitPairs out{};
  for (std::size_t j = 0; j < 4; ++j) {
    const unsigned a = load_u8(packed + j);
    const unsigned b = load_u8(packed + 4 + j);
    const unsigned c = load_u8(packed + 8 + j);
    out.scale[j] = static_cast<std::uint8_t>(a & 63U);
    out.min[j] = static_cast<std::uint8_t>(b & 63U);
    out.scale[j + 4] = static_cast<std::uint8_t>((c & 15U) | ((a >> 6) << 4));
    out.min[j + 4] = static_cast<std::uint8_t>((c >> 4) | ((b >> 6) << 4));
  }
  return out;
}

void store_six_bit_pairs(const SixBitPairs& pairs, std::byte* packed) noexcept {
  for (std::size_t j = 0; j < 4; ++j) {
    const unsigned scale = pairs.scale[j + 4];
    const unsigned min = pairs.min[j + 4];
    packed[j] = static_cast<std::byte>(pairs.scale[j] | ((scale >> 4) << 6));
    packed[4 + j] = static_cast<std::byte>(pairs.min[j] | ((min >> 4) << 6));
    packed[8 + j] = static_cast<std::byte>((scale & 15U) | ((min & 15U) << 4));
  }
}

AffineCodes fit_affine_block(const float* x, const float* weights, std::size_t groups, int levels,
                             int code_max, std::byte* d, std::byte* dmin) noexcept {
  const std::size_t width = kSuperBlock / groups;
  AffineFit fits[16];
  double max_scale = 0;
  double max_min = 0;
  for (std::size_t g = 0; g < groups; ++g) {
    const float* w = weights != nullptr ? weights + g * width : nullptr;
    fits[g] = fit_affine(x + g * width, w, width, levels);
    max_scale = std::max(max_scale, fits[g].scale);
    max_min = std::max(max_min, fits[g].min);
  }
  const double scale_unit = store_scale(d, max_scale / code_max);
  const double min_unit = store_scale(dmin, max_min / code_max);
  AffineCodes out{};
  for (std::size_t g = 0; g < groups; ++g) {
    out.scale[g] = quantum(fits[g].scale, scale_unit, 0, code_max);
    out.min[g] = quantum(fits[g].min, min_unit, 0, code_max);
    out.step[g] = scale_unit * out.scale[g];
    out.offset[g] = min_unit * out.min[g];
  }
  return out;
}

}  // namespace ds4::quants
