// Q3_K, 110 bytes: 32 bytes of high bits, 64 bytes of 2-bit codes, 12 bytes of sixteen 6-bit scales
// (offset 32), half d; y = d * (scale - 32) * (code - 4 if the high bit is clear).
#include <algorithm>
#include <cmath>

#include "format/quants/codec.hpp"
#include "format/quants/fit.hpp"

namespace ds4::quants {
namespace {

constexpr std::size_t kCodes = 32;
constexpr std::size_t kScales = 96;
constexpr std::size_t kScale = 108;

int load_scale(const std::byte* scales, std::size_t i) noexcept {
  const unsigned low = i < 8 ? load_u8(scales + i) & 15U : load_u8(scales + i - 8) >> 4;
  const unsigned high = (load_u8(scales + 8 + i % 4) >> (2 * (i / 4))) & 3U;
  return static_cast<int>(low | (high << 4)) - 32;
}

void add_scale(std::byte* scales, std::size_t i, int scale) noexcept {
  const auto code = static_cast<unsigned>(scale + 32);
  scales[i % 8] |= static_cast<std::byte>((code & 15U) << (i < 8 ? 0 : 4));
  scales[8 + i % 4] |= static_cast<std::byte>((code >> 4) << (2 * (i / 4)));
}

}  // namespace

void decode_q3_k(const std::byte* block, float* out) noexcept {
  const float d = load_half(block + kScale);
  for (std::size_t g = 0; g < 16; ++g) {
    const float scale = d * static_cast<float>(load_scale(block + kScales, g));
    const std::byte* high = block + 16 * (g % 2);
    const std::byte* codes = block + kCodes + 32 * (g / 8) + 16 * (g % 2);
    const unsigned shift = 2 * static_cast<unsigned>(g % 8 / 2);
    const unsigned bit = static_cast<unsigned>(g / 2);
    for (std::size_t l = 0; l < 16; ++l) {
      const int q = static_cast<int>((load_u8(codes + l) >> shift) & 3U) -
                    (((load_u8(high + l) >> bit) & 1U) != 0 ? 0 : 4);
      out[16 * g + l] = scale * static_cast<float>(q);
    }
  }
}

void encode_q3_k(const float* in, const float* weights, std::byte* block) noexcept {
  double fits[16];
  for (std::size_t g = 0; g < 16; ++g) {
    fits[g] = fit_symmetric(in + 16 * g, weights != nullptr ? weights + 16 * g : nullptr, 16, 4);
  }
  const double peak = *std::max_element(
      fits, fits + 16, [](double a, double b) { return std::fabs(a) < std::fabs(b); });
  std::memset(block, 0, kScale);
  const double unit = store_scale(block + kScale, peak / -32);
  for (std::size_t g = 0; g < 16; ++g) {
    const int scale = quantum(fits[g], unit, -32, 31);
    add_scale(block + kScales, g, scale);
    std::byte* high = block + 16 * (g % 2);
    std::byte* codes = block + kCodes + 32 * (g / 8) + 16 * (g % 2);
    const unsigned shift = 2 * static_cast<unsigned>(g % 8 / 2);
    for (std::size_t l = 0; l < 16; ++l) {
      const auto q = static_cast<unsigned>(quantum(in[16 * g + l], unit * scale, -4, 3) + 4);
      codes[l] |= static_cast<std::byte>((q & 3U) << shift);
      high[l] |= static_cast<std::byte>((q >> 2) << (g / 2));
    }
  }
}

}  // namespace ds4::quants
