/// The weights of a sub-block of IQ2_XXS for sixteen lanes, as bytes 64 +- magnitude, four by four
/// in the order of SignedGrid::kQuantum.
#pragma once

#include <array>
#include <bit>

#include "../isa/bytes.hpp"
#include "quantise.hpp"

namespace ds4::fast {

inline constexpr std::uint64_t kIq2Grid[256] = {
#include "cpu-common/iq2_xxs_grid.inc"
};

#if defined(__AVX512VBMI__) && defined(__GFNI__)

/// Where two coordinates have their fields in a byte of index: two bits of code each, then a sign.
/// A look-up of 64 bytes takes bits 0 to 5.
struct Iq2Fields {
  std::uint8_t code[2][2];
  std::uint8_t sign[2];

  [[nodiscard]] constexpr std::uint8_t codes() const noexcept {
    return static_cast<std::uint8_t>(1u << code[0][0] | 1u << code[0][1] | 1u << code[1][0] |
                                     1u << code[1][1]);
  }
};
/// Of coordinates 0 and 1 (4 and 5), and of 2 and 3 (6 and 7) after a shift right by two: their
/// codes fill what the first two leave of eight bits.
inline constexpr Iq2Fields kIq2Fields[2] = {{{{0, 1}, {3, 4}}, {2, 5}}, {{{0, 3}, {4, 5}}, {1, 2}}};
static_assert((kIq2Fields[0].codes() | kIq2Fields[1].codes() << 2) == 255);

/// The codes of coordinates 4 * Half .. 4 * Half + 3 of every entry.
template <int Half>
inline constexpr std::array<std::uint8_t, 256> kIq2Codes = [] {
  std::array<std::uint8_t, 256> codes{};
  for (std::uint32_t e = 0; e < 256; ++e) {
    for (std::uint32_t i = 0; i < 4; ++i) {
      const std::uint64_t magnitude = kIq2Grid[e] >> (8 * (4 * Half + i)) & 255u;
      const std::uint32_t code = magnitude == 8 ? 0 : magnitude == 25 ? 1 : 2;
      for (std::uint32_t bit = 0; bit < 2; ++bit) {
        const std::uint32_t at = kIq2Fields[i / 2].code[i % 2][bit] + 2 * (i / 2);
        codes[e] = static_cast<std::uint8_t>(codes[e] | (code >> bit & 1u) << at);
      }
    }
  }
  return codes;
}();

/// The weight of coordinate I (and I + 4) by the byte that its fields are in.
template <std::uint32_t I>
inline constexpr std::array<std::uint8_t, 64> kIq2Weights = [] {
  constexpr Iq2Fields kFields = kIq2Fields[I / 2];
  constexpr std::uint8_t kMagnitude[4] = {8, 25, 43, 0};
  std::array<std::uint8_t, 64> weights{};
  for (std::uint32_t byte = 0; byte < 64; ++byte) {
    const auto bit = [byte](std::uint8_t at) { return byte >> at & 1u; };
    const std::uint32_t code = bit(kFields.code[I % 2][0]) + 2 * bit(kFields.code[I % 2][1]);
    const std::uint8_t m = kMagnitude[code];
    weights[byte] = static_cast<std::uint8_t>(bit(kFields.sign[I % 2]) != 0 ? 64 - m : 64 + m);
  }
  return weights;
}();

/// All of it in registers, coordinate by coordinate: the four bytes of a lane stay those of its
/// four indices throughout, so that nothing has to be spread. The 256 entries are looked up as
/// bytes of four 2-bit codes; two codes at a time meet their signs in one byte, and a look-up each
/// of that byte gives the two weights. Four weights of a lane are thus one coordinate of its four
/// entries, values 8 apart, which is how activations lie in Quantum::of_256_turned.
struct SignedGrid {
  static constexpr std::int32_t kOffset = 64;
  static constexpr Quantum kQuantum = Quantum::of_256_turned;
  static constexpr bool kIsInRegisters = true;

  SignedGrid() noexcept {
    for (int i = 0; i < 4; ++i) {
      low[i] = _mm512_loadu_si512(kIq2Codes<0>.data() + 64 * i);
      high[i] = _mm512_loadu_si512(kIq2Codes<1>.data() + 64 * i);
    }
    weights[0] = _mm512_loadu_si512(kIq2Weights<0>.data());
    weights[1] = _mm512_loadu_si512(kIq2Weights<1>.data());
    weights[2] = _mm512_loadu_si512(kIq2Weights<2>.data());
    weights[3] = _mm512_loadu_si512(kIq2Weights<3>.data());
    // In each half of a qword: 7-bit fields of the lane's word to its four bytes, by shifts of 0,
    // 7, 14 and 21, plus 32 in the upper half.
    sevens = _mm512_set1_epi64(0x352e2720150e0700);
  }

  /// Calls body(k, weights) for coordinates k = 0 .. 7 of the four entries of each lane.
  template <class Body>
  void each_four(Bytes64 indices, Bytes64 words, Body&& body) const noexcept {
    const __m512i signs = _mm512_multishift_epi64_epi8(sevens, words.v);
    const Quarters of(indices.v);
    const __m512i first = of.look_up(indices.v, low);
    const __m512i second = of.look_up(indices.v, high);
    two<0>(first, signs, body);
    two<2>(_mm512_srli_epi16(first, 2), signs, body);
    two<4>(second, signs, body);
    two<6>(_mm512_srli_epi16(second, 2), signs, body);
  }

 private:
  /// Which bytes are in which quarter of 256.
  struct Quarters {
    __mmask64 odd;
    __mmask64 upper;
    __mmask64 last;

    explicit Quarters(__m512i bytes) noexcept
        : odd(_mm512_test_epi8_mask(bytes, _mm512_set1_epi8(64))),
          upper(_mm512_movepi8_mask(bytes)),
          last(_kand_mask64(odd, upper)) {}

    [[nodiscard]] __m512i look_up(__m512i bytes, const __m512i (&table)[4]) const noexcept {
      __m512i found = _mm512_permutexvar_epi8(bytes, table[0]);
      found = _mm512_mask_permutexvar_epi8(found, odd, bytes, table[1]);
      found = _mm512_mask_permutexvar_epi8(found, upper, bytes, table[2]);
      return _mm512_mask_permutexvar_epi8(found, last, bytes, table[3]);
    }
  };

  /// The matrix that brings the signs of coordinates K and K + 1 to their fields. Bit 7 is the
  /// parity of the other seven.
  template <std::uint32_t K>
  static constexpr std::int64_t signs_of() noexcept {
    constexpr Iq2Fields kFields = kIq2Fields[K / 2 % 2];
    constexpr std::uint64_t kFirst = 1u << K;
    constexpr std::uint64_t kSecond = K == 6 ? 0x7f : 2u << K;
    return static_cast<std::int64_t>(kFirst << (8 * (7 - kFields.sign[0])) |
                                     kSecond << (8 * (7 - kFields.sign[1])));
  }

  /// Coordinates K and K + 1, whose codes are at their fields.
  template <std::uint32_t K, class Body>
  void two(__m512i codes, __m512i signs, Body&& body) const noexcept {
    constexpr Iq2Fields kFields = kIq2Fields[K / 2 % 2];
    const __m512i sign = _mm512_gf2p8affine_epi64_epi8(signs, _mm512_set1_epi64(signs_of<K>()), 0);
    // (mask & code) | (~mask & sign)
    const __m512i index = _mm512_ternarylogic_epi64(
        _mm512_set1_epi8(static_cast<char>(kFields.codes())), codes, sign, 0xca);
    body(K, Bytes64{_mm512_permutexvar_epi8(index, weights[K % 4])});
    body(K + 1, Bytes64{_mm512_permutexvar_epi8(index, weights[K % 4 + 1])});
  }

  __m512i low[4];
  __m512i high[4];
  __m512i weights[4];
  __m512i sevens;
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
  static constexpr Quantum kQuantum = Quantum::of_256;
  static constexpr bool kIsInRegisters = false;

  /// Calls body(k, weights) for the eight times four values of a sub-block, k ascending.
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

static_assert(SignedGrid::kQuantum == kIq2Quantum);
static_assert(SignedGrid::kOffset == offset_of(kIq2Quantum));

}  // namespace ds4::fast
