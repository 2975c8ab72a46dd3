// Q4_0, 18 bytes: half scale, 16 bytes of two codes (element i low, element i + 16 high);
// y = d * (q - 8).
#include <algorithm>
#include <cmath>

#include "format/quants/codec.hpp"

namespace ds4::quants {

void decode_q4_0(const std::byte* block, float* out) noexcept {
  const float d = load_half(block);
  for (std::size_t i = 0; i < kSmallBlock / 2; ++i) {
    const unsigned pair = load_u8(block + 2 + i);
    out[i] = d * static_cast<float>(static_cast<int>(pair & 15U) - 8);
    out[i + 16] = d * static_cast<float>(static_cast<int>(pair >> 4) - 8);
  }
}

void encode_q4_0(const float* in, const float*, std::byte* block) noexcept {
  const float* peak = std::max_element(
      in, in + kSmallBlock, [](float a, float b) { return std::fabs(a) < std::fabs(b); });
  // The value of largest magnitude gets code 0, which stands for -8.
  const float d = *peak / -8.0F;
  const float inverse = d != 0 ? 1.0F / d : 0.0F;
  store_scale(block, static_cast<double>(d));
  const auto code = [inverse](float x) -> unsigned {
    if (!std::isfinite(inverse)) return 8;
    const double q = static_cast<double>(x) * static_cast<double>(inverse) + 8.5;
    return static_cast<unsigned>(std::clamp(q, 0.0, 15.0));
  };
  for (std::size_t i = 0; i < kSmallBlock / 2; ++i) {
    block[2 + i] = static_cast<std::byte>(code(in[i]) | (code(in[i + 16]) << 4));
  }
}

}  // namespace ds4::quants
