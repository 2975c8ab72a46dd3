// Q8_0, 34 bytes: half scale, 32 signed bytes; y = d * q.
#include <algorithm>
#include <cmath>

#include "format/quants/codec.hpp"

namespace ds4::quants {

void decode_q8_0(const std::byte* block, float* out) noexcept {
  const float d = load_half(block);
  for (std::size_t i = 0; i < kSmallBlock; ++i) {
    const auto q = static_cast<std::int8_t>(load_u8(block + 2 + i));
    out[i] = d * static_cast<float>(q);
  }
}

// The codes are taken from the unrounded scale, as converters do, so files compare byte for byte.
void encode_q8_0(const float* in, const float*, std::byte* block) noexcept {
  float peak = 0;
  for (std::size_t i = 0; i < kSmallBlock; ++i) peak = std::max(peak, std::fabs(in[i]));
  const float d = peak / 127.0F;
  const float inverse = d != 0 ? 1.0F / d : 0.0F;
  store_scale(block, static_cast<double>(d));
  for (std::size_t i = 0; i < kSmallBlock; ++i) {
    // A subnormal peak has no finite inverse; such a block decodes to zeros whatever the codes.
    const float q = std::isfinite(inverse) ? std::round(in[i] * inverse) : 0.0F;
    block[2 + i] = static_cast<std::byte>(static_cast<int>(std::clamp(q, -127.0F, 127.0F)));
  }
}

}  // namespace ds4::quants
