/// The products of bytes.hpp with AVX2. bytes.hpp says what each function is.
#pragma once

#include "vector.hpp"

namespace ds4::fast {

struct I32 {
  __m256i v[2];
};
struct Bytes64 {
  __m256i v[2];
};
#define DS4_EACH(type, expression) \
  type r;                          \
  for (int i = 0; i < 2; ++i) {    \
    r.v[i] = (expression);         \
  }                                \
  return r
inline Bytes64 load_bytes(const std::byte* p) noexcept {
  DS4_EACH(Bytes64, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p) + i));
}
inline I32 all_int(std::int32_t x) noexcept {
  DS4_EACH(I32, _mm256_set1_epi32(x));
}
inline I32 operator+(I32 a, I32 b) noexcept {
  DS4_EACH(I32, _mm256_add_epi32(a.v[i], b.v[i]));
}
inline I32 operator*(I32 a, I32 b) noexcept {
  DS4_EACH(I32, _mm256_mullo_epi32(a.v[i], b.v[i]));
}
inline I32 times_short(I32 a, I32 b) noexcept {
  DS4_EACH(I32, _mm256_madd_epi16(a.v[i], b.v[i]));
}
inline F32 to_f32(I32 a) noexcept {
  DS4_EACH(F32, _mm256_cvtepi32_ps(a.v[i]));
}
inline __m256i four_bytes(const std::int8_t* a) noexcept {
  std::int32_t four;
  std::memcpy(&four, a, 4);
  return _mm256_set1_epi32(four);
}
inline I32 dot4(I32 acc, Bytes64 w, const std::int8_t* a) noexcept {
  const __m256i four = four_bytes(a);
  const __m256i ones = _mm256_set1_epi16(1);
  DS4_EACH(I32,
           _mm256_add_epi32(acc.v[i], _mm256_madd_epi16(_mm256_maddubs_epi16(w.v[i], four), ones)));
}
inline constexpr std::int32_t kSignedBias = 0;
inline I32 dot4_signed(I32 acc, Bytes64 w, const std::int8_t* a) noexcept {
  // maddubs saturates pairs beyond 16 bits, so the unsigned operand must stay at or below 128.
  const __m256i four = four_bytes(a);
  const __m256i ones = _mm256_set1_epi16(1);
  I32 r;
  for (int i = 0; i < 2; ++i) {
    const __m256i s = _mm256_xor_si256(w.v[i], _mm256_set1_epi8(-128));
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(s), _mm256_sign_epi8(four, s));
    r.v[i] = _mm256_add_epi32(acc.v[i], _mm256_madd_epi16(pairs, ones));
  }
  return r;
}
template <int Part>
inline Bytes64 two_bits(Bytes64 w) noexcept {
  DS4_EACH(Bytes64, _mm256_and_si256(_mm256_srli_epi16(w.v[i], 2 * Part), _mm256_set1_epi8(3)));
}
inline Bytes64 high_nibbles(Bytes64 w) noexcept {
  DS4_EACH(Bytes64, _mm256_and_si256(_mm256_srli_epi16(w.v[i], 4), _mm256_set1_epi8(15)));
}
template <int Part>
inline I32 low_nibble(Bytes64 w) noexcept {
  DS4_EACH(I32, _mm256_and_si256(_mm256_srli_epi32(w.v[i], 8 * Part), _mm256_set1_epi32(15)));
}
inline I32 odd_scale(Bytes64 w) noexcept {
  DS4_EACH(I32,
           _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi32(w.v[i], 27), _mm256_set1_epi32(30)),
                           _mm256_set1_epi32(1)));
}
inline Bytes64 scaled(Bytes64 w, I32 scale) noexcept {
  // Two bytes at a time: the lower product carries nothing into the upper one.
  DS4_EACH(Bytes64, _mm256_mullo_epi16(
                        w.v[i], _mm256_or_si256(scale.v[i], _mm256_slli_epi32(scale.v[i], 16))));
}
inline F32 load_halves(const std::byte* p) noexcept {
  DS4_EACH(F32, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p) + i)));
}
#undef DS4_EACH
inline std::int32_t store_rounded(std::int8_t* q, F32 a) noexcept {
  const __m256i low = _mm256_cvtps_epi32(a.v[0]);
  const __m256i high = _mm256_cvtps_epi32(a.v[1]);
  // Both packs work within halves: their four dwords come as 0, 2 of either half, then 1, 3.
  const __m256i shorts = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8);
  _mm_storeu_si128(
      reinterpret_cast<__m128i*>(q),
      _mm_packs_epi16(_mm256_castsi256_si128(shorts), _mm256_extracti128_si256(shorts, 1)));
  const __m256i both = _mm256_add_epi32(low, high);
  __m128i sums = _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
  sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0xb1)));
}

}  // namespace ds4::fast
