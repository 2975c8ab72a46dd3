// MXFP4, 17 bytes: one UE8M0 scale, 16 bytes of two e2m1 codes (element i low, i + 16 high);
// y = 2^(e - 127) * code value. The arithmetic uses doubled code values and half the scale.
#include <array>
#include <cmath>

#include "format/quants/codec.hpp"

namespace ds4::quants {
namespace {

constexpr std::array<int, 16> kDoubled = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// 2^(e - 128). e = 255 is NaN by the standard and becomes NaN here too.
float half_scale(unsigned e) noexcept {
  if (e == 255) return std::bit_cast<float>(0x7FC00000U);
  return std::bit_cast<float>(e < 2 ? 0x00200000U << e : (e - 1) << 23);
}

// The code of the nearest value; of two equally near ones the earlier in the table.
unsigned nearest_code(float x, float scale) noexcept {
  unsigned best = 0;
  float best_error = HUGE_VALF;
  for (unsigned code = 0; code < 16; ++code) {
    const float error = std::fabs(scale * static_cast<float>(kDoubled[code]) - x);
    if (error < best_error) {
      best_error = error;
      best = code;
    }
  }
  return best;
}

}  // namespace

void decode_mxfp4(const std::byte* block, float* out) noexcept {
  const float scale = half_scale(load_u8(block));
  for (std::size_t i = 0; i < kSmallBlock / 2; ++i) {
    const unsigned pair = load_u8(block + 1 + i);
    // Codes 0 and 8 are +0 and -0; the sign of zero never matters to a sum and is not kept.
    out[i] = scale * static_cast<float>(kDoubled[pair & 15U]);
    out[i + 16] = scale * static_cast<float>(kDoubled[pair >> 4]);
  }
}

void encode_mxfp4(const float* in, const float*, std::byte* block) noexcept {
  float peak = 0;
  for (std::size_t i = 0; i < kSmallBlock; ++i) peak = std::fmax(peak, std::fabs(in[i]));
  // The largest code is 6 = 1.5 * 2^2, so the exponent of the peak minus 2 is the scale.
  int e = peak > 0 ? std::ilogb(peak) - 2 + 127 : 0;
  e = e < 0 ? 0 : e;
  block[0] = static_cast<std::byte>(e);
  const float scale = half_scale(static_cast<unsigned>(e));
  for (std::size_t i = 0; i < kSmallBlock / 2; ++i) {
    const unsigned low = nearest_code(in[i], scale);
    const unsigned high = nearest_code(in[i + 16], scale);
    block[1 + i] = static_cast<std::byte>(low | (high << 4));
  }
}

}  // namespace ds4::quants
