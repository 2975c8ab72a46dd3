#pragma once

#include <cstddef>
#include <cstdint>

namespace ds4::quants {

/// x ~ scale * q - min with integer q in 0..levels; scale >= 0, min >= 0.
struct AffineFit {
  double scale = 0;
  double min = 0;
};

/// The best of several roundings of `n` values (at most 32), each refined by weighted least
/// squares. `weights` may be null (all 1).
[[nodiscard]] AffineFit fit_affine(const float* x, const float* weights, std::size_t n,
                                   int levels) noexcept;

/// The scale (of either sign) of x ~ scale * q with integer q in -half..half-1, chosen likewise.
[[nodiscard]] double fit_symmetric(const float* x, const float* weights, std::size_t n,
                                   int half) noexcept;

/// round(value / step) held within [low, high]; 0 (or the nearer bound) when step is 0.
[[nodiscard]] int quantum(double value, double step, int low, int high) noexcept;

/// Eight 6-bit scales and eight 6-bit mins in the 12 bytes that Q4_K and Q5_K share.
struct SixBitPairs {
  std::uint8_t scale[8];
  std::uint8_t min[8];
};
[[nodiscard]] SixBitPairs load_six_bit_pairs(const std::byte* packed) noexcept;
void store_six_bit_pairs(const SixBitPairs& pairs, std::byte* packed) noexcept;

/// The scales part of an affine super-block: fits each of `groups` groups, stores the two half
/// scales at `d` and `dmin`, gives the integer codes and the effective scale and min per group.
struct AffineCodes {
  int scale[16];
  int min[16];
  double step[16];    ///< h(d) * scale code
  double offset[16];  ///< h(dmin) * min code
};
[[nodiscard]] AffineCodes fit_affine_block(const float* x, const float* weights, std::size_t groups,
                                           int levels, int code_max, std::byte* d,
                                           std::byte* dmin) noexcept;

}  // namespace ds4::quants
