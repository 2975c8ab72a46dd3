// Q6_K, 210 bytes: 128 bytes of low nibbles, 64 bytes of 2 high bits, 16 signed scales, half d;
// y = d * scale * (q - 32).
#include <algorithm>
#include <cmath>

#include "format/quants/codec.hpp"
#include "format/quants/fit.hpp"

namespace ds4::quants {
namespace {

constexpr std::size_t kHigh = 128;
constexpr std::size_t kScales = 192;
constexpr std::size_t kScale = 208;

// Where element i of a super-block lies. Half n of 128 elements is four runs of 32: runs 0 and 1
// take the low nibbles of two runs of 32 bytes, runs 2 and 3 the high nibbles of the same bytes.
struct Place {
  std::size_t low;
  unsigned low_shift;
  std::size_t high;
  unsigned high_shift;
};

Place place(std::size_t i) noexcept {
  const std::size_t half = i / 128;
  const std::size_t run = i % 128 / 32;
  const std::size_t l = i % 32;
  return {64 * half + 32 * (run % 2) + l, run < 2 ? 0U : 4U, kHigh + 32 * half + l,
          2U * static_cast<unsigned>(run)};
}

}  // namespace

void decode_q6_k(const std::byte* block, float* out) noexcept {
  const float d = load_half(block + kScale);
  for (std::size_t g = 0; g < 16; ++g) {
    const auto code = static_cast<std::int8_t>(load_u8(block + kScales + g));
    const float scale = d * static_cast<float>(code);
    for (std::size_t i = 16 * g; i < 16 * g + 16; ++i) {
      const Place p = place(i);
      const unsigned q = ((load_u8(block + p.low) >> p.low_shift) & 15U) |
                         (((load_u8(block + p.high) >> p.high_shift) & 3U) << 4);
      out[i] = scale * static_cast<float>(static_cast<int>(q) - 32);
    }
  }
}

void encode_q6_k(const float* in, const float* weights, std::byte* block) noexcept {
  double fits[16];
  for (std::size_t g = 0; g < 16; ++g) {
    fits[g] = fit_symmetric(in + 16 * g, weights != nullptr ? weights + 16 * g : nullptr, 16, 32);
  }
  const double peak = *std::max_element(
      fits, fits + 16, [](double a, double b) { return std::fabs(a) < std::fabs(b); });
  std::memset(block, 0, kScales);
  const double unit = store_scale(block + kScale, peak / -128);
  for (std::size_t g = 0; g < 16; ++g) {
    const int scale = quantum(fits[g], unit, -128, 127);
    block[kScales + g] = static_cast<std::byte>(scale);
    for (std::size_t i = 16 * g; i < 16 * g + 16; ++i) {
      const Place p = place(i);
      const auto q = static_cast<unsigned>(quantum(in[i], unit * scale, -32, 31) + 32);
      block[p.low] |= static_cast<std::byte>((q & 15U) << p.low_shift);
      block[p.high] |= static_cast<std::byte>((q >> 4) << p.high_shift);
    }
  }
}

}  // namespace ds4::quants
