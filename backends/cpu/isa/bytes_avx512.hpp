/// The products of bytes.hpp with AVX-512 and VNNI. bytes.hpp says what each function is.
#pragma once

#include "vector.hpp"

namespace ds4::fast {

struct I32 {
  __m512i v;
};
struct Bytes64 {
  __m512i v;
};
inline Bytes64 load_bytes(const std::byte* p) noexcept {
  return {_mm512_loadu_si512(p)};
}
inline I32 all_int(std::int32_t x) noexcept {
  return {_mm512_set1_epi32(x)};
}
inline I32 operator+(I32 a, I32 b) noexcept {
  return {_mm512_add_epi32(a.v, b.v)};
}
inline I32 operator*(I32 a, I32 b) noexcept {
  return {_mm512_mullo_epi32(a.v, b.v)};
}
inline F32 to_f32(I32 a) noexcept {
  return {_mm512_cvtepi32_ps(a.v)};
}
inline I32 dot4(I32 acc, Bytes64 w, const std::int8_t* a) noexcept {
  std::int32_t four;
  std::memcpy(&four, a, 4);
  return {_mm512_dpbusd_epi32(acc.v, w.v, _mm512_set1_epi32(four))};
}
inline constexpr std::int32_t kSignedBias = 128;
inline I32 dot4_signed(I32 acc, Bytes64 w, const std::int8_t* a) noexcept {
  return dot4(acc, w, a);
}
template <int Part>
inline Bytes64 two_bits(Bytes64 w) noexcept {
  return {_mm512_and_si512(_mm512_srli_epi16(w.v, 2 * Part), _mm512_set1_epi8(3))};
}
inline Bytes64 high_nibbles(Bytes64 w) noexcept {
  return {_mm512_and_si512(_mm512_srli_epi16(w.v, 4), _mm512_set1_epi8(15))};
}
template <int Part>
inline I32 low_nibble(Bytes64 w) noexcept {
  return {_mm512_and_si512(_mm512_srli_epi32(w.v, 8 * Part), _mm512_set1_epi32(15))};
}
inline constexpr bool kTwoBitsStay = true;
template <int Part>
inline Bytes64 two_bits_in_place(Bytes64 w) noexcept {
  return {_mm512_and_si512(w.v, _mm512_set1_epi8(static_cast<char>(3 << (2 * Part))))};
}
template <int Byte, int Even, int Odd>
inline I32 plus_pair(I32 acc, I32 even, I32 odd, Bytes64 w) noexcept {
  static_assert(Byte < 2 && Even >= 0 && Odd >= 0 && Odd <= 16);
  const __m512i scales =
      _mm512_and_si512(_mm512_srli_epi32(w.v, 8 * Byte), _mm512_set1_epi32(0x000f000f));
  // The low half of one below that of the other: bits of the mask choose.
  constexpr int kChoose = 0xac;
  const __m512i both =
      _mm512_ternarylogic_epi32(_mm512_set1_epi32(0xffff), _mm512_slli_epi32(odd.v, 16 - Odd),
                                _mm512_srai_epi32(even.v, Even), kChoose);
  return {_mm512_dpwssd_epi32(acc.v, both, scales)};
}
inline I32 odd_scale(Bytes64 w) noexcept {
  return {_mm512_or_si512(_mm512_and_si512(_mm512_srli_epi32(w.v, 27), _mm512_set1_epi32(30)),
                          _mm512_set1_epi32(1))};
}
inline Bytes64 scaled(Bytes64 w, I32 scale) noexcept {
  // Two bytes at a time: the lower product carries nothing into the upper one.
  const __m512i both = _mm512_or_si512(scale.v, _mm512_slli_epi32(scale.v, 16));
  return {_mm512_mullo_epi16(w.v, both)};
}
inline F32 load_halves(const std::byte* p) noexcept {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
inline std::int32_t store_rounded(std::int8_t* q, F32 a) noexcept {
  const __m512i whole = _mm512_cvtps_epi32(a.v);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(q), _mm512_cvtepi32_epi8(whole));
  return _mm512_reduce_add_epi32(whole);
}

}  // namespace ds4::fast
