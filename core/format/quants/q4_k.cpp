// Q4_K, 144 bytes: half d, half dmin, 12 bytes of eight 6-bit scales and mins, 128 bytes of codes
// (64 elements share 32 bytes: first 32 low nibbles, next 32 high); y = d * scale * q - dmin * min.
#include "format/quants/codec.hpp"
#include "format/quants/fit.hpp"

namespace ds4::quants {
namespace {
constexpr std::size_t kPairs = 4;
constexpr std::size_t kCodes = 16;
}  // namespace

void decode_q4_k(const std::byte* block, float* out) noexcept {
  const float d = load_half(block);
  const float dmin = load_half(block + 2);
  const SixBitPairs pairs = load_six_bit_pairs(block + kPairs);
  for (std::size_t g = 0; g < 8; ++g) {
    const float scale = d * static_cast<float>(pairs.scale[g]);
    const float min = dmin * static_cast<float>(pairs.min[g]);
    const std::byte* codes = block + kCodes + 32 * (g / 2);
    const unsigned shift = g % 2 == 0 ? 0 : 4;
    for (std::size_t l = 0; l < 32; ++l) {
      out[32 * g + l] = scale * static_cast<float>((load_u8(codes + l) >> shift) & 15U) - min;
    }
  }
}

void encode_q4_k(const float* in, const float* weights, std::byte* block) noexcept {
  const AffineCodes fit = fit_affine_block(in, weights, 8, 15, 63, block, block + 2);
  SixBitPairs pairs{};
  std::memset(block + kCodes, 0, 128);
  for (std::size_t g = 0; g < 8; ++g) {
    pairs.scale[g] = static_cast<std::uint8_t>(fit.scale[g]);
    pairs.min[g] = static_cast<std::uint8_t>(fit.min[g]);
    std::byte* codes = block + kCodes + 32 * (g / 2);
    const unsigned shift = g % 2 == 0 ? 0 : 4;
    for (std::size_t l = 0; l < 32; ++l) {
      const int q = quantum(in[32 * g + l] + fit.offset[g], fit.step[g], 0, 15);
      codes[l] |= static_cast<std::byte>(static_cast<unsigned>(q) << shift);
    }
  }
  store_six_bit_pairs(pairs, block + kPairs);
}

}  // namespace ds4::quants
