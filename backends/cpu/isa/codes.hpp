/// Codes of small formats to sixteen f32, by this level's instructions.
#pragma once

#include <array>

#include "cpu-common/numbers.hpp"
#include "vector.hpp"

namespace ds4::fast {

// f32 holds an e4m3 code's fraction as it is. Below the smallest normal the fraction counts steps
// of 2^-9: what remains of 2^-6 * (1 + fraction / 8) when 2^-6 is taken away. Subnormal f32
// numbers, which processors are slow with, do not come up.

#if defined(__AVX512F__)

/// Sixteen e4m3fn codes.
inline F32 load_e4m3(const std::uint8_t* codes) noexcept {
  const __m512i wide =
      _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes)));
  const __m512i magnitude = _mm512_and_si512(wide, _mm512_set1_epi32(0x7f));
  const __mmask16 is_small = _mm512_cmplt_epi32_mask(magnitude, _mm512_set1_epi32(8));
  const __mmask16 is_nan = _mm512_cmpeq_epi32_mask(magnitude, _mm512_set1_epi32(0x7f));
  __m512i bits = _mm512_add_epi32(_mm512_slli_epi32(magnitude, 20), _mm512_set1_epi32(120 << 23));
  bits = _mm512_mask_add_epi32(bits, is_small, bits, _mm512_set1_epi32(1 << 23));
  __m512 value = _mm512_castsi512_ps(bits);
  value = _mm512_mask_sub_ps(value, is_small, value, _mm512_set1_ps(0x1p-6F));
  value = _mm512_mask_mov_ps(value, is_nan, _mm512_set1_ps(std::bit_cast<float>(0x7fc00000)));
  // magnitude ^ code is the sign, alone.
  const __m512i sign = _mm512_slli_epi32(_mm512_xor_si512(wide, magnitude), 24);
  return {_mm512_castsi512_ps(_mm512_or_si512(_mm512_castps_si512(value), sign))};
}

/// Sixteen bf16 values.
inline F32 load_bf16(const std::uint8_t* values) noexcept {
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16))};
}

#elif defined(__AVX2__) && defined(__FMA__)

inline F32 load_e4m3(const std::uint8_t* codes) noexcept {
  F32 r;
  for (int i = 0; i < 2; ++i) {
    const __m256i wide =
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes + 8 * i)));
    const __m256i magnitude = _mm256_and_si256(wide, _mm256_set1_epi32(0x7f));
    const __m256i is_small = _mm256_cmpgt_epi32(_mm256_set1_epi32(8), magnitude);
    const __m256i is_nan = _mm256_cmpeq_epi32(magnitude, _mm256_set1_epi32(0x7f));
    __m256i bits = _mm256_add_epi32(_mm256_slli_epi32(magnitude, 20), _mm256_set1_epi32(120 << 23));
    bits = _mm256_add_epi32(bits, _mm256_and_si256(is_small, _mm256_set1_epi32(1 << 23)));
    __m256 value =
        _mm256_sub_ps(_mm256_castsi256_ps(bits),
                      _mm256_and_ps(_mm256_castsi256_ps(is_small), _mm256_set1_ps(0x1p-6F)));
    value = _mm256_blendv_ps(value, _mm256_set1_ps(std::bit_cast<float>(0x7fc00000)),
                             _mm256_castsi256_ps(is_nan));
    const __m256i sign = _mm256_slli_epi32(_mm256_xor_si256(wide, magnitude), 24);
    r.v[i] = _mm256_or_ps(value, _mm256_castsi256_ps(sign));
  }
  return r;
}
inline F32 load_bf16(const std::uint8_t* values) noexcept {
  F32 r;
  for (int i = 0; i < 2; ++i) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(values + 16 * i));
    r.v[i] = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
  }
  return r;
}

#elif defined(__ARM_NEON)

inline F32 load_e4m3(const std::uint8_t* codes) noexcept {
  const uint8x16_t bytes = vld1q_u8(codes);
  const uint16x8_t halves[2] = {vmovl_u8(vget_low_u8(bytes)), vmovl_high_u8(bytes)};
  F32 r;
  for (int i = 0; i < 4; ++i) {
    const uint32x4_t wide =
        i % 2 == 0 ? vmovl_u16(vget_low_u16(halves[i / 2])) : vmovl_high_u16(halves[i / 2]);
    const uint32x4_t magnitude = vandq_u32(wide, vdupq_n_u32(0x7f));
    const uint32x4_t is_small = vcltq_u32(magnitude, vdupq_n_u32(8));
    const uint32x4_t is_nan = vceqq_u32(magnitude, vdupq_n_u32(0x7f));
    uint32x4_t bits = vaddq_u32(vshlq_n_u32(magnitude, 20), vdupq_n_u32(120u << 23));
    bits = vaddq_u32(bits, vandq_u32(is_small, vdupq_n_u32(1u << 23)));
    const float32x4_t step = vreinterpretq_f32_u32(
        vandq_u32(is_small, vdupq_n_u32(std::bit_cast<std::uint32_t>(0x1p-6F))));
    const float32x4_t value = vbslq_f32(is_nan, vreinterpretq_f32_u32(vdupq_n_u32(0x7fc00000)),
                                        vsubq_f32(vreinterpretq_f32_u32(bits), step));
    const uint32x4_t sign = vshlq_n_u32(veorq_u32(wide, magnitude), 24);
    r.v[i] = reinterpret_cast<F32x4>(vorrq_u32(vreinterpretq_u32_f32(value), sign));
  }
  return r;
}
inline F32 load_bf16(const std::uint8_t* values) noexcept {
  F32 r;
  for (int i = 0; i < 4; ++i) {
    const uint16x4_t half = vreinterpret_u16_u8(vld1_u8(values + 8 * i));
    r.v[i] = reinterpret_cast<F32x4>(vshll_n_u16(half, 16));
  }
  return r;
}

#else

inline constexpr std::array<float, 256> kE4m3 = [] {
  std::array<float, 256> table{};
  for (std::size_t i = 0; i < 256; ++i) table[i] = cpu::e4m3_to_float(static_cast<std::uint8_t>(i));
  return table;
}();

inline F32 load_e4m3(const std::uint8_t* codes) noexcept {
  float lanes[kLanes];
  for (std::uint32_t i = 0; i < kLanes; ++i) lanes[i] = kE4m3[codes[i]];
  return load(lanes);
}
inline F32 load_bf16(const std::uint8_t* values) noexcept {
  std::uint16_t bits[kLanes];
  std::memcpy(bits, values, sizeof bits);
  float lanes[kLanes];
  for (std::uint32_t i = 0; i < kLanes; ++i) lanes[i] = cpu::bf16_to_float(bits[i]);
  return load(lanes);
}

#endif

}  // namespace ds4::fast
