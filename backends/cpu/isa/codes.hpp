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
