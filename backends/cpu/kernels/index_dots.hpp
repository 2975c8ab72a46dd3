/// The indexer's scores of fp4 keys for fp4 queries in whole numbers (model.md 3.9).
///
/// Twice an e2m1 value is a whole number of -12 .. 12, so the products within a block of 32, which
/// has one scale on each side, sum exactly; f32 only joins a row's blocks and its heads. Sixteen
/// heads are the lanes of a sum, four dims one step of it.
#pragma once

#include <algorithm>

#include "../isa/bytes.hpp"
#include "cpu-common/context.hpp"
#include "cpu-common/numbers.hpp"

namespace ds4::fast {

/// Other levels take the f32 way: without products of bytes it is the faster one.
#if (defined(__AVX2__) && defined(__FMA__)) || defined(__ARM_NEON)
#define DS4_CPU_BYTE_DOTS 1
#else
#define DS4_CPU_BYTE_DOTS 0
#endif

inline constexpr std::uint32_t kIndexBlock = 32;
/// Keys are carried as whole numbers of 0 .. 24, for products of unsigned with signed bytes.
inline constexpr std::int32_t kKeyBias = 12;

/// The queries and weights of one row of the step.
struct IndexQueries {
  std::int8_t* codes;   ///< [dim / 4, heads, 4]: twice the e2m1 values
  float* scales;        ///< [dim / 32, heads]: of the codes' products, one quarter of e8m0
  std::int32_t* begin;  ///< [dim / 32, heads]: what takes the keys' bias away
  float* weights;       ///< [heads]
  std::uint32_t heads;  ///< whole sixteens; those that fill up have zeros everywhere
  std::uint32_t dim;

  /// Takes query `h` from its INDEX_ROW.
  void put(std::uint32_t h, const std::byte* row) const noexcept {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(row);
    const std::uint8_t* row_scales = bytes + sdk::index_row_layout(dim).scales;
    for (std::uint32_t b = 0; b < dim / kIndexBlock; ++b) {
      std::int32_t sum = 0;
      for (std::uint32_t i = b * kIndexBlock; i < (b + 1) * kIndexBlock; ++i) {
        const auto code = static_cast<std::uint8_t>(bytes[i / 2] >> 4 * (i & 1u) & 15u);
        const auto twice = static_cast<std::int8_t>(2 * cpu::e2m1_to_float(code));
        codes[(std::uint64_t{i / 4} * heads + h) * 4 + i % 4] = twice;
        sum += twice;
      }
      const std::uint64_t at = std::uint64_t{b} * heads + h;
      scales[at] = cpu::e8m0_to_float(row_scales[b]) * 0.25F;
      begin[at] = -kKeyBias * sum;
    }
  }
  /// Makes a head that is none.
  void put_none(std::uint32_t h) const noexcept {
    for (std::uint32_t i = 0; i < dim / 4; ++i) {
      std::fill_n(codes + (std::uint64_t{i} * heads + h) * 4, 4, std::int8_t{0});
    }
    for (std::uint32_t b = 0; b < dim / kIndexBlock; ++b) {
      scales[std::uint64_t{b} * heads + h] = 0;
      begin[std::uint64_t{b} * heads + h] = 0;
    }
    weights[h] = 0;
  }
};

#if DS4_CPU_BYTE_DOTS

/// 32 codes of a key, 16 bytes, to bytes of 0 .. 24.
inline void widen_key(const std::uint8_t* codes, std::uint8_t* out) noexcept {
#if defined(__ARM_NEON)
  constexpr std::uint8_t kTable[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};
  const uint8x16_t table = vld1q_u8(kTable);
  const uint8x16_t packed = vld1q_u8(codes);
  const uint8x16_t low = vqtbl1q_u8(table, vandq_u8(packed, vdupq_n_u8(15)));
  const uint8x16_t high = vqtbl1q_u8(table, vshrq_n_u8(packed, 4));
  vst1q_u8(out, vzip1q_u8(low, high));
  vst1q_u8(out + 16, vzip2q_u8(low, high));
#else
  const __m128i table = _mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0);
  const __m128i packed = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes));
  const __m128i mask = _mm_set1_epi8(15);
  const __m128i low = _mm_shuffle_epi8(table, _mm_and_si128(packed, mask));
  const __m128i high = _mm_shuffle_epi8(table, _mm_and_si128(_mm_srli_epi16(packed, 4), mask));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_unpacklo_epi8(low, high));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 16), _mm_unpackhi_epi8(low, high));
#endif
}

/// Sixteens of heads that are summed side by side: a sum alone waits for itself at every step.
#if defined(__AVX512VNNI__)
inline constexpr std::uint32_t kIndexSums = 4;
#else
inline constexpr std::uint32_t kIndexSums = 2;
#endif

/// The products of one block for G times sixteen heads; `stride` bytes from four dims to the next.
template <std::uint32_t G>
inline void block_dots(const std::uint8_t* key, const std::int8_t* codes, std::uint64_t stride,
                       const std::int32_t* begin, F32 (&out)[G]) noexcept {
#if defined(__AVX512VNNI__)
  __m512i sums[G];
  for (std::uint32_t g = 0; g < G; ++g) sums[g] = _mm512_loadu_si512(begin + g * kLanes);
  for (std::uint32_t i = 0; i < kIndexBlock / 4; ++i) {
    std::int32_t word;
    std::memcpy(&word, key + 4 * i, 4);
    const __m512i four = _mm512_set1_epi32(word);
    for (std::uint32_t g = 0; g < G; ++g) {
      sums[g] = _mm512_dpbusd_epi32(sums[g], four, _mm512_loadu_si512(codes + i * stride + g * 64));
    }
  }
  for (std::uint32_t g = 0; g < G; ++g) out[g] = {_mm512_cvtepi32_ps(sums[g])};
#elif defined(__ARM_NEON)
  I32 sums[G];
  for (std::uint32_t g = 0; g < G; ++g) {
    for (int j = 0; j < 4; ++j) sums[g].v[j] = vld1q_s32(begin + g * kLanes + 4 * j);
  }
  for (std::uint32_t i = 0; i < kIndexBlock / 4; ++i) {
    const int8x16_t four = four_bytes(reinterpret_cast<const std::int8_t*>(key) + 4 * i);
    for (std::uint32_t g = 0; g < G; ++g) {
      for (int j = 0; j < 4; ++j) {
        const int8x16_t query = vld1q_s8(codes + i * stride + g * 64 + 16 * j);
        sums[g].v[j] = signed_dot4(sums[g].v[j], query, four);
      }
    }
  }
  for (std::uint32_t g = 0; g < G; ++g) out[g] = to_f32(sums[g]);
#else
  // A pair is at most 2 * 24 * 12, and eight of them stay below 2^15.
  __m256i pairs[2 * G];
  for (std::uint32_t g = 0; g < 2 * G; ++g) pairs[g] = _mm256_setzero_si256();
  for (std::uint32_t i = 0; i < kIndexBlock / 4; ++i) {
    std::int32_t word;
    std::memcpy(&word, key + 4 * i, 4);
    const __m256i four = _mm256_set1_epi32(word);
    for (std::uint32_t g = 0; g < 2 * G; ++g) {
      const __m256i query =
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + i * stride + g * 32));
      pairs[g] = _mm256_add_epi16(pairs[g], _mm256_maddubs_epi16(four, query));
    }
  }
  for (std::uint32_t g = 0; g < 2 * G; ++g) {
    const __m256i sums =
        _mm256_add_epi32(_mm256_madd_epi16(pairs[g], _mm256_set1_epi16(1)),
                         _mm256_loadu_si256(reinterpret_cast<const __m256i*>(begin + 8 * g)));
    out[g / 2].v[g % 2] = _mm256_cvtepi32_ps(sums);
  }
#endif
}

/// What G times sixteen heads from `h` on add to a key's score, onto `total`.
template <std::uint32_t G>
inline F32 add_heads(const IndexQueries& queries, std::uint32_t h, const std::uint8_t* wide,
                     const std::uint8_t* scales, F32 total) noexcept {
  const std::uint64_t stride = std::uint64_t{queries.heads} * 4;
  F32 products[G];
  for (std::uint32_t g = 0; g < G; ++g) products[g] = zero();
  for (std::uint32_t b = 0; b < queries.dim / kIndexBlock; ++b) {
    const std::uint64_t at = std::uint64_t{b} * queries.heads + h;
    F32 dots[G];
    block_dots<G>(wide + b * kIndexBlock, queries.codes + b * (kIndexBlock / 4) * stride + h * 4,
                  stride, queries.begin + at, dots);
    const F32 scale = all(cpu::e8m0_to_float(scales[b]));
    for (std::uint32_t g = 0; g < G; ++g) {
      // The scales one after the other: together they may leave f32 where the product does not.
      products[g] = fma(dots[g] * load(queries.scales + at + g * kLanes), scale, products[g]);
    }
  }
  for (std::uint32_t g = 0; g < G; ++g) {
    total = fma(load(queries.weights + h + g * kLanes), greatest(zero(), products[g]), total);
  }
  return total;
}

/// The score of one key, an INDEX_ROW: sum over heads of weight * max(0, query . key). `wide` has
/// room for dim bytes.
inline float index_score(const IndexQueries& queries, const std::byte* row,
                         std::uint8_t* wide) noexcept {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(row);
  const std::uint8_t* scales = bytes + sdk::index_row_layout(queries.dim).scales;
  for (std::uint32_t b = 0; b < queries.dim / kIndexBlock; ++b) {
    widen_key(bytes + b * kIndexBlock / 2, wide + b * kIndexBlock);
  }
  F32 total = zero();
  std::uint32_t h = 0;
  for (; h + kIndexSums * kLanes <= queries.heads; h += kIndexSums * kLanes) {
    total = add_heads<kIndexSums>(queries, h, wide, scales, total);
  }
  for (; h < queries.heads; h += kLanes) total = add_heads<1>(queries, h, wide, scales, total);
  return sum(total);
}

#endif

}  // namespace ds4::fast
