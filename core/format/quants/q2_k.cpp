// Q2_K, 84 bytes: 16 bytes of scale (low nibble) and min (high nibble) per group of 16, 64 bytes of
// 2-bit codes, half d, half dmin; y = d * scale * q - dmin * min.
#include "format/quants/codec.hpp"
#include "format/quants/fit.hpp"

namespace ds4::quants {
namespace {
constexpr std::size_t kCodes = 16;
constexpr std::size_t kScale = 80;
constexpr std::size_t kMin = 82;
}  // namespace

void decode_q2_k(const std::byte* block, float* out) noexcept {
  const float d = load_half(block + kScale);
  const float dmin = load_half(block + kMin);
  for (std::size_t g = 0; g < 16; ++g) {
    const unsigned packed = load_u8(block + g);
    const float scale = d * static_cast<float>(packed & 15U);
    const float min = dmin * static_cast<float>(packed >> 4);
    // Group g = 8 n + 2 j + half: bits 2j of 16 of the 32 bytes of half-block n.
    const std::byte* codes = block + kCodes + 32 * (g / 8) + 16 * (g % 2);
    const unsigned shift = 2 * static_cast<unsigned>(g % 8 / 2);
    for (std::size_t l = 0; l < 16; ++l) {
      out[16 * g + l] = scale * static_cast<float>((load_u8(codes + l) >> shift) & 3U) - min;
    }
  }
}

void encode_q2_k(const float* in, const float* weights, std::byte* block) noexcept {
  const AffineCodes codes = fit_affine_block(in, weights, 16, 3, 15, block + kScale, block + kMin);
  std::memset(block + kCodes, 0, 64);
  for (std::size_t g = 0; g < 16; ++g) {
    block[g] = static_cast<std::byte>(codes.scale[g] | (codes.min[g] << 4));
    std::byte* out = block + kCodes + 32 * (g / 8) + 16 * (g % 2);
    const unsigned shift = 2 * static_cast<unsigned>(g % 8 / 2);
    for (std::size_t l = 0; l < 16; ++l) {
      const int q = quantum(in[16 * g + l] + codes.offset[g], codes.step[g], 0, 3);
      out[l] |= static_cast<std::byte>(static_cast<unsigned>(q) << shift);
    }
  }
}

}  // namespace ds4::quants
