// Q5_K, 176 bytes: as Q4_K with 32 bytes of fifth bits between the scales and the codes; bit g of
// byte l belongs to element l of group g.
#include "format/quants/codec.hpp"
#include "format/quants/fit.hpp"

namespace ds4::quants {
namespace {
constexpr std::size_t kPairs = 4;
constexpr std::size_t kHigh = 16;
constexpr std::size_t kCodes = 48;
}  // namespace

void decode_q5_k(const std::byte* block, float* out) noexcept {
  const float d = load_half(block);
  const float dmin = load_half(block + 2);
  const SixBitPairs pairs = load_six_bit_pairs(block + kPairs);
  for (std::size_t g = 0; g < 8; ++g) {
    const float scale = d * static_cast<float>(pairs.scale[g]);
    const float min = dmin * static_cast<float>(pairs.min[g]);
    const std::byte* codes = block + kCodes + 32 * (g / 2);
    const unsigned shift = g % 2 == 0 ? 0 : 4;
    for (std::size_t l = 0; l < 32; ++l) {
      const unsigned high = (load_u8(block + kHigh + l) >> g) & 1U;
      const unsigned q = ((load_u8(codes + l) >> shift) & 15U) | (high << 4);
      out[32 * g + l] = scale * static_cast<float>(q) - min;
    }
  }
}

void encode_q5_k(const float* in, const float* weights, std::byte* block) noexcept {
  const AffineCodes fit = fit_affine_block(in, weights, 8, 31, 63, block, block + 2);
  SixBitPairs pairs{};
  std::memset(block + kHigh, 0, 32 + 128);
  for (std::size_t g = 0; g < 8; ++g) {
    pairs.scale[g] = static_cast<std::uint8_t>(fit.scale[g]);
    pairs.min[g] = static_cast<std::uint8_t>(fit.min[g]);
    std::byte* codes = block + kCodes + 32 * (g / 2);
    const unsigned shift = g % 2 == 0 ? 0 : 4;
    for (std::size_t l = 0; l < 32; ++l) {
      const auto q =
          static_cast<unsigned>(quantum(in[32 * g + l] + fit.offset[g], fit.step[g], 0, 31));
      codes[l] |= static_cast<std::byte>((q & 15U) << shift);
      block[kHigh + l] |= static_cast<std::byte>((q >> 4) << g);
    }
  }
  store_six_bit_pairs(pairs, block + kPairs);
}

}  // namespace ds4::quants
