/// The weights of a sub-block of IQ2_XXS for sixteen lanes, as bytes 64 +- magnitude.
#pragma once

#include <array>
#include <bit>

#include "../isa/bytes.hpp"

namespace ds4::fast {

inline constexpr std::uint64_t kIq2Grid[256] = {
#include "cpu-common/iq2_xxs_grid.inc"
};

#if defined(__AVX512VBMI__) && defined(__GFNI__)

/// Two bits a coordinate, coordinates 4 * Half .. 4 * Half + 3 of every entry: the lowest first.
template <int Half>
inline constexpr std::array<std::uint8_t, 256> kIq2Codes = [] {
  std::array<std::uint8_t, 256> codes{};
  for (std::uint32_t e = 0; e < 256; ++e) {
    for (std::uint32_t i = 0; i < 4; ++i) {
      const std::uint64_t magnitude = kIq2Grid[e] >> (8 * (4 * Half + i)) & 255u;
      const std::uint32_t code = magnitude == 8 ? 0 : magnitude == 25 ? 1 : 2;
      codes[e] = static_cast<std::uint8_t>(codes[e] | code << (2 * i));
    }
  }
  return codes;
}();

/// All of it in registers: the 256 entries are looked up as bytes of four 2-bit codes, codes and
/// signs are spread to the bytes they belong to by a shift that differs for each byte, and a last
/// look-up of three bits, code and sign, gives the weight.
struct SignedGrid {
  static constexpr std::int32_t kOffset = 64;

  SignedGrid() noexcept {
    for (int i = 0; i < 4; ++i) {
      low[i] = _mm512_loadu_si512(kIq2Codes<0>.data() + 64 * i);
      high[i] = _mm512_loadu_si512(kIq2Codes<1>.data() + 64 * i);
    }
    // Entry code + 4 * sign; bits 3 to 5 of an index are what is left of other fields.
    alignas(64) std::uint8_t table[64];
    for (std::uint32_t i = 0; i < 64; ++i) {
      constexpr std::uint8_t kMagnitude[4] = {8, 25, 43, 0};
      const std::uint8_t m = kMagnitude[i & 3u];
      table[i] = static_cast<std::uint8_t>((i & 4u) != 0 ? 64 - m : 64 + m);
    }
    weights = _mm512_load_si512(table);
    // In each half of a qword: 7-bit fields of the lane's word to its four bytes.
    sevens = _mm512_set1_epi64(fields(7, 0));
    // Bit 7 is the parity of the other seven.
    parity = _mm512_set1_epi64(0x010204081020407f);
  }

  /// Calls body(k, weights) for the eight times four values of a sub-block, k ascending.
  template <class Body>
  void each_four(Bytes64 indices, Bytes64 words, Body&& body) const noexcept {
    const __m512i signs =
        _mm512_gf2p8affine_epi64_epi8(_mm512_multishift_epi64_epi8(sevens, words.v), parity, 0);
    const __mmask64 is_upper = _mm512_movepi8_mask(indices.v);
    const __m512i first =
        _mm512_mask_blend_epi8(is_upper, _mm512_permutex2var_epi8(low[0], indices.v, low[1]),
                               _mm512_permutex2var_epi8(low[2], indices.v, low[3]));
    const __m512i second =
        _mm512_mask_blend_epi8(is_upper, _mm512_permutex2var_epi8(high[0], indices.v, high[1]),
                               _mm512_permutex2var_epi8(high[2], indices.v, high[3]));
    four<0>(first, signs, body);
    four<1>(second, signs, body);
    four<2>(first, signs, body);
    four<3>(second, signs, body);
    four<4>(first, signs, body);
    four<5>(second, signs, body);
    four<6>(first, signs, body);
    four<7>(second, signs, body);
  }

 private:
  /// Shifts that bring field i (each `step` bits, from bit `first` on, of either 32-bit half) to
  /// byte i of that half.
  static constexpr std::int64_t fields(std::uint32_t step, std::uint32_t first) noexcept {
    std::uint64_t shifts = 0;
    for (std::uint32_t i = 0; i < 8; ++i) {
      const std::uint32_t shift = (32 * (i / 4) + first + step * (i % 4)) & 63u;
      shifts |= std::uint64_t{shift} << (8 * i);
    }
    return static_cast<std::int64_t>(shifts);
  }

  template <std::uint32_t K, class Body>
  void four(__m512i codes, __m512i signs, Body&& body) const noexcept {
    // Byte K / 2 of each lane holds four codes; the sign of each must land in bit 2.
    const __m512i code =
        _mm512_multishift_epi64_epi8(_mm512_set1_epi64(fields(2, 8 * (K / 2))), codes);
    const __m512i sign = _mm512_multishift_epi64_epi8(
        _mm512_set1_epi64(fields(1, 8 * (K / 2) + 4 * (K % 2) + 62)), signs);
    // Bits 0 and 1 of the code, the others of the sign: (mask & code) | (~mask & sign).
    const __m512i index = _mm512_ternarylogic_epi64(_mm512_set1_epi8(3), code, sign, 0xca);
    body(K, Bytes64{_mm512_permutexvar_epi8(index, weights)});
  }

  __m512i low[4];
  __m512i high[4];
  __m512i weights;
  __m512i sevens;
  __m512i parity;
};

#else

/// The bytes that are all ones where a weight is negative, by the seven stored signs.
inline constexpr std::array<std::uint64_t, 128> kIq2Signs = [] {
  std::array<std::uint64_t, 128> masks{};
  for (std::uint32_t s = 0; s < 128; ++s) {
    const std::uint32_t signs = s | (static_cast<std::uint32_t>(std::popcount(s)) & 1u) << 7;
    for (std::uint32_t j = 0; j < 8; ++j) {
      if ((signs >> j & 1u) != 0) masks[s] |= std::uint64_t{255} << (8 * j);
    }
  }
  return masks;
}();

/// By table, a lane at a time: eight weights are one entry, its signs one more.
struct SignedGrid {
  static constexpr std::int32_t kOffset = 64;

  template <class Body>
  void each_four(Bytes64 indices, Bytes64 words, Body&& body) const noexcept {
    std::uint8_t index[4 * kLanes];
    std::uint32_t word[kLanes];
    std::memcpy(index, &indices, sizeof index);
    std::memcpy(word, &words, sizeof word);
    alignas(64) std::uint32_t weights[8][kLanes];
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
      for (std::uint32_t k = 0; k < 4; ++k) {
        const std::uint64_t grid = kIq2Grid[index[4 * lane + k]];
        const std::uint64_t negative = kIq2Signs[word[lane] >> (7 * k) & 127u];
        // No byte borrows from the next: 64 - 43 and 64 + 43 stay within one.
        const std::uint64_t bytes = 0x4040404040404040ull + (grid & ~negative) - (grid & negative);
        weights[2 * k][lane] = static_cast<std::uint32_t>(bytes);
        weights[2 * k + 1][lane] = static_cast<std::uint32_t>(bytes >> 32);
      }
    }
    for (std::uint32_t k = 0; k < 8; ++k) {
      body(k, load_bytes(reinterpret_cast<const std::byte*>(weights[k])));
    }
  }
};

#endif

}  // namespace ds4::fast
