/// Products of bytes: sixteen i32 lanes, and four bytes for each of them.
///
/// A tile of weights lies so that 64 bytes hold four consecutive values of sixteen rows; four bytes
/// of the other operand are the same for all rows. Everything here is exact.
#pragma once

#include "vector.hpp"

namespace ds4::fast {

#if defined(__AVX512VNNI__)

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
/// a * b where both fit in 16 bits and b is not negative.
inline I32 times_short(I32 a, I32 b) noexcept {
  return {_mm512_madd_epi16(a.v, b.v)};
}
inline F32 to_f32(I32 a) noexcept {
  return {_mm512_cvtepi32_ps(a.v)};
}
/// acc + sum of w * a over the four bytes of each lane: w unsigned and below 128, a signed.
inline I32 dot4(I32 acc, Bytes64 w, const std::int8_t* a) noexcept {
  std::int32_t four;
  std::memcpy(&four, a, 4);
  return {_mm512_dpbusd_epi32(acc.v, w.v, _mm512_set1_epi32(four))};
}
/// What dot4_signed adds for each a on top of the product.
inline constexpr std::int32_t kSignedBias = 128;
/// The same for signed weights that are stored plus 128.
inline I32 dot4_signed(I32 acc, Bytes64 w, const std::int8_t* a) noexcept {
  return dot4(acc, w, a);
}
/// Two bits of each byte, from bit 2 * Part on.
template <int Part>
inline Bytes64 two_bits(Bytes64 w) noexcept {
  return {_mm512_and_si512(_mm512_srli_epi16(w.v, 2 * Part), _mm512_set1_epi8(3))};
}
/// The high nibble of each byte.
inline Bytes64 high_nibbles(Bytes64 w) noexcept {
  return {_mm512_and_si512(_mm512_srli_epi16(w.v, 4), _mm512_set1_epi8(15))};
}
/// The low nibble of byte Part of each lane.
template <int Part>
inline I32 low_nibble(Bytes64 w) noexcept {
  return {_mm512_and_si512(_mm512_srli_epi32(w.v, 8 * Part), _mm512_set1_epi32(15))};
}
/// 2 * (the top four bits of each lane) + 1.
inline I32 odd_scale(Bytes64 w) noexcept {
  return {_mm512_or_si512(_mm512_and_si512(_mm512_srli_epi32(w.v, 27), _mm512_set1_epi32(30)),
                          _mm512_set1_epi32(1))};
}
inline F32 load_halves(const std::byte* p) noexcept {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}

#elif defined(__AVX2__)

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
inline F32 load_halves(const std::byte* p) noexcept {
  DS4_EACH(F32, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p) + i)));
}
#undef DS4_EACH

#else

struct I32 {
  std::int32_t v[kLanes];
};
struct Bytes64 {
  std::uint8_t v[4 * kLanes];
};
#define DS4_EACH(expression)                   \
  I32 r;                                       \
  for (std::uint32_t i = 0; i < kLanes; ++i) { \
    r.v[i] = (expression);                     \
  }                                            \
  return r
inline Bytes64 load_bytes(const std::byte* p) noexcept {
  Bytes64 r;
  std::memcpy(&r, p, sizeof r);
  return r;
}
inline I32 all_int(std::int32_t x) noexcept {
  DS4_EACH(x);
}
inline I32 operator+(I32 a, I32 b) noexcept {
  DS4_EACH(a.v[i] + b.v[i]);
}
inline I32 operator*(I32 a, I32 b) noexcept {
  DS4_EACH(a.v[i] * b.v[i]);
}
inline I32 times_short(I32 a, I32 b) noexcept {
  return a * b;
}
inline F32 to_f32(I32 a) noexcept {
  float lanes[kLanes];
  for (std::uint32_t i = 0; i < kLanes; ++i) lanes[i] = static_cast<float>(a.v[i]);
  return load(lanes);
}
inline I32 dot4(I32 acc, Bytes64 w, const std::int8_t* a) noexcept {
  DS4_EACH(acc.v[i] + (w.v[4 * i] * a[0] + w.v[4 * i + 1] * a[1]) +
           (w.v[4 * i + 2] * a[2] + w.v[4 * i + 3] * a[3]));
}
inline constexpr std::int32_t kSignedBias = 128;
inline I32 dot4_signed(I32 acc, Bytes64 w, const std::int8_t* a) noexcept {
  return dot4(acc, w, a);
}
template <int Part>
inline Bytes64 two_bits(Bytes64 w) noexcept {
  for (std::uint8_t& byte : w.v) byte = (byte >> (2 * Part)) & 3;
  return w;
}
inline Bytes64 high_nibbles(Bytes64 w) noexcept {
  for (std::uint8_t& byte : w.v) byte = static_cast<std::uint8_t>(byte >> 4);
  return w;
}
template <int Part>
inline I32 low_nibble(Bytes64 w) noexcept {
  DS4_EACH(w.v[4 * i + Part] & 15);
}
inline I32 odd_scale(Bytes64 w) noexcept {
  DS4_EACH(2 * (w.v[4 * i + 3] >> 4) + 1);
}
#undef DS4_EACH
/// A half's 10 fraction bits land in the top of f32's 23, and 2^112 moves the exponent bias from 15
/// to 127; infinity and NaN need their exponent filled.
inline F32 load_halves(const std::byte* p) noexcept {
  float lanes[kLanes];
  for (std::uint32_t i = 0; i < kLanes; ++i) {
    std::uint16_t half;
    std::memcpy(&half, p + 2 * i, 2);
    const std::uint32_t magnitude = half & 0x7fffu;
    const float scaled = std::bit_cast<float>(magnitude << 13) * std::bit_cast<float>(0x77800000u);
    const std::uint32_t special = magnitude >= 0x7c00u ? 0x7f800000u : 0u;
    const std::uint32_t sign = (half & 0x8000u) << 16;
    lanes[i] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(scaled) | special | sign);
  }
  return load(lanes);
}

#endif

/// Columns that a product keeps in registers at once.
#if defined(__AVX512F__)
inline constexpr std::uint32_t kRegisterColumns = 8;
#elif defined(__AVX2__)
inline constexpr std::uint32_t kRegisterColumns = 2;
#else
inline constexpr std::uint32_t kRegisterColumns = 1;
#endif

/// Hints that the line at p will be read once. Beyond the end of memory it does nothing.
inline void prefetch(const std::byte* p) noexcept {
  __builtin_prefetch(p, 0, 3);
}

}  // namespace ds4::fast
