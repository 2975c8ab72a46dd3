/// Sixteen f32 lanes, whatever the instruction set: one register of AVX-512, two of AVX2, four of
/// SSE2 or NEON. The lane count is the same everywhere so that a sum's order is the same on every
/// level; only whether a product and a sum round once (fma) differs, and that is fixed per level.
///
/// Everything is written out: nothing is left to contraction, which may treat two copies of one
/// loop differently and so make a row's bits depend on the batch it came in.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace ds4::fast {

inline constexpr std::uint32_t kLanes = 16;

#if defined(__AVX512F__)

struct F32 {
  __m512 v;
};
inline F32 load(const float* p) noexcept {
  return {_mm512_loadu_ps(p)};
}
inline void store(float* p, F32 a) noexcept {
  _mm512_storeu_ps(p, a.v);
}
inline F32 all(float x) noexcept {
  return {_mm512_set1_ps(x)};
}
inline F32 operator+(F32 a, F32 b) noexcept {
  return {_mm512_add_ps(a.v, b.v)};
}
inline F32 operator-(F32 a, F32 b) noexcept {
  return {_mm512_sub_ps(a.v, b.v)};
}
inline F32 operator*(F32 a, F32 b) noexcept {
  return {_mm512_mul_ps(a.v, b.v)};
}
inline F32 operator/(F32 a, F32 b) noexcept {
  return {_mm512_div_ps(a.v, b.v)};
}
/// a * b + c
inline F32 fma(F32 a, F32 b, F32 c) noexcept {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
/// The lesser or greater; b where either is NaN.
inline F32 least(F32 a, F32 b) noexcept {
  return {_mm512_min_ps(a.v, b.v)};
}
inline F32 greatest(F32 a, F32 b) noexcept {
  return {_mm512_max_ps(a.v, b.v)};
}
/// x * 2^n for whole n in -252 .. 254; NaN stays.
inline F32 times_power(F32 x, F32 n) noexcept {
  return {_mm512_scalef_ps(x.v, n.v)};
}
inline F32 nearest(F32 a) noexcept {
  return {_mm512_roundscale_ps(a.v, 8)};
}

#elif defined(__AVX2__) && defined(__FMA__)

struct F32 {
  __m256 v[2];
};
#define DS4_EACH(expression)    \
  F32 r;                        \
  for (int i = 0; i < 2; ++i) { \
    r.v[i] = (expression);      \
  }                             \
  return r
inline F32 load(const float* p) noexcept {
  DS4_EACH(_mm256_loadu_ps(p + 8 * i));
}
inline void store(float* p, F32 a) noexcept {
  for (int i = 0; i < 2; ++i) _mm256_storeu_ps(p + 8 * i, a.v[i]);
}
inline F32 all(float x) noexcept {
  DS4_EACH(_mm256_set1_ps(x));
}
inline F32 operator+(F32 a, F32 b) noexcept {
  DS4_EACH(_mm256_add_ps(a.v[i], b.v[i]));
}
inline F32 operator-(F32 a, F32 b) noexcept {
  DS4_EACH(_mm256_sub_ps(a.v[i], b.v[i]));
}
inline F32 operator*(F32 a, F32 b) noexcept {
  DS4_EACH(_mm256_mul_ps(a.v[i], b.v[i]));
}
inline F32 operator/(F32 a, F32 b) noexcept {
  DS4_EACH(_mm256_div_ps(a.v[i], b.v[i]));
}
inline F32 fma(F32 a, F32 b, F32 c) noexcept {
  DS4_EACH(_mm256_fmadd_ps(a.v[i], b.v[i], c.v[i]));
}
inline F32 least(F32 a, F32 b) noexcept {
  DS4_EACH(_mm256_min_ps(a.v[i], b.v[i]));
}
inline F32 greatest(F32 a, F32 b) noexcept {
  DS4_EACH(_mm256_max_ps(a.v[i], b.v[i]));
}
inline F32 nearest(F32 a) noexcept {
  DS4_EACH(_mm256_round_ps(a.v[i], 8));
}
/// 2^n for whole n in -126 .. 127.
inline F32 power(F32 n) noexcept {
  DS4_EACH(_mm256_castsi256_ps(
      _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n.v[i]), _mm256_set1_epi32(127)), 23)));
}
#undef DS4_EACH

#else

typedef float F32x4 __attribute__((vector_size(16)));
typedef std::int32_t I32x4 __attribute__((vector_size(16)));

struct F32 {
  F32x4 v[4];
};
#define DS4_EACH(expression)    \
  F32 r;                        \
  for (int i = 0; i < 4; ++i) { \
    r.v[i] = (expression);      \
  }                             \
  return r
inline F32 load(const float* p) noexcept {
  F32 r;
  std::memcpy(&r, p, sizeof r);
  return r;
}
inline void store(float* p, F32 a) noexcept {
  std::memcpy(p, &a, sizeof a);
}
inline F32 all(float x) noexcept {
  DS4_EACH((F32x4{x, x, x, x}));
}
inline F32 operator+(F32 a, F32 b) noexcept {
  DS4_EACH(a.v[i] + b.v[i]);
}
inline F32 operator-(F32 a, F32 b) noexcept {
  DS4_EACH(a.v[i] - b.v[i]);
}
inline F32 operator*(F32 a, F32 b) noexcept {
  DS4_EACH(a.v[i] * b.v[i]);
}
inline F32 operator/(F32 a, F32 b) noexcept {
  DS4_EACH(a.v[i] / b.v[i]);
}
#if defined(__ARM_NEON)
inline F32 fma(F32 a, F32 b, F32 c) noexcept {
  DS4_EACH(reinterpret_cast<F32x4>(
      vfmaq_f32(float32x4_t(c.v[i]), float32x4_t(a.v[i]), float32x4_t(b.v[i]))));
}
#else
inline F32 fma(F32 a, F32 b, F32 c) noexcept {
  DS4_EACH(a.v[i] * b.v[i] + c.v[i]);
}
#endif
inline F32 least(F32 a, F32 b) noexcept {
  DS4_EACH(a.v[i] < b.v[i] ? a.v[i] : b.v[i]);
}
inline F32 greatest(F32 a, F32 b) noexcept {
  DS4_EACH(a.v[i] > b.v[i] ? a.v[i] : b.v[i]);
}
/// Exact below 2^22: what the sum with 1.5 * 2^23 cannot hold is rounded away, to even.
inline F32 nearest(F32 a) noexcept {
  return (a + all(12582912.0F)) - all(12582912.0F);
}
inline F32 power(F32 n) noexcept {
  DS4_EACH(reinterpret_cast<F32x4>((__builtin_convertvector(n.v[i], I32x4) + 127) << 23));
}
#undef DS4_EACH

#endif

#if !defined(__AVX512F__)
inline F32 times_power(F32 x, F32 n) noexcept {
  // Two steps: 2^n alone may be no normal number.
  const F32 half = nearest(n * all(0.5F));
  return (x * power(half)) * power(n - half);
}
#endif

inline F32 zero() noexcept {
  return all(0.0F);
}

/// The first n < 16 lanes from or to memory; the others are 0 and not touched.
inline F32 load_some(const float* p, std::uint64_t n) noexcept {
  float lanes[kLanes] = {};
  std::memcpy(lanes, p, n * sizeof(float));
  return load(lanes);
}
inline void store_some(float* p, F32 a, std::uint64_t n) noexcept {
  float lanes[kLanes];
  store(lanes, a);
  std::memcpy(p, lanes, n * sizeof(float));
}

/// Calls body(get, put) for each sixteen of n values, the last with what is left: `get(p)`
/// and `put(p, a)` move values i, i + 1, ... of an array p.
template <class Body>
inline void each_lanes(std::uint64_t n, Body&& body) {
  std::uint64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    body([i](const float* p) { return load(p + i); }, [i](float* p, F32 a) { store(p + i, a); });
  }
  if (i == n) return;
  const std::uint64_t left = n - i;
  body([i, left](const float* p) { return load_some(p + i, left); },
       [i, left](float* p, F32 a) { store_some(p + i, a, left); });
}

/// Sum of the lanes in one fixed tree: lane i takes lane i + 8, then i + 4, i + 2, i + 1.
inline float sum(F32 a) noexcept {
#if defined(__AVX2__) && defined(__FMA__)
#if defined(__AVX512F__)
  const __m256 eight =
      _mm256_add_ps(_mm512_castps512_ps256(a.v),
                    _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(a.v), 1)));
#else
  const __m256 eight = _mm256_add_ps(a.v[0], a.v[1]);
#endif
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
#else
  const F32x4 four = (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]);
  return (four[0] + four[2]) + (four[1] + four[3]);
#endif
}

/// The greatest lane; none may be NaN.
inline float greatest_lane(F32 a) noexcept {
#if defined(__AVX2__) && defined(__FMA__)
#if defined(__AVX512F__)
  const __m256 eight =
      _mm256_max_ps(_mm512_castps512_ps256(a.v),
                    _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(a.v), 1)));
#else
  const __m256 eight = _mm256_max_ps(a.v[0], a.v[1]);
#endif
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
#else
  float lanes[kLanes];
  store(lanes, a);
  float most = lanes[0];
  for (const float lane : lanes) most = lane > most ? lane : most;
  return most;
#endif
}

/// e^x, within 2 units of the last place; 0 below -104, infinity above 89; NaN stays.
inline F32 exponential(F32 x) noexcept {
  x = greatest(all(-104.0F), least(all(89.0F), x));
  const F32 n = nearest(x * all(1.44269504F));
  // ln 2 in two parts, the first with few enough bits that n times it is exact.
  F32 r = fma(n, all(-0.693359375F), x);
  r = fma(n, all(2.12194440e-4F), r);
  F32 p = all(1.9875691500e-4F);
  p = fma(p, r, all(1.3981999507e-3F));
  p = fma(p, r, all(8.3334519073e-3F));
  p = fma(p, r, all(4.1665795894e-2F));
  p = fma(p, r, all(1.6666665459e-1F));
  p = fma(p, r, all(5.0000001201e-1F));
  p = fma(p, r * r, r + all(1.0F));
  return times_power(p, n);
}

/// 1 / (1 + e^-x), or e^x / (1 + e^x) where x is below 0: e^-x would be infinite there long before
/// the quotient is 0.
inline F32 logistic(F32 x) noexcept {
  const F32 negative = least(zero() - x, x);
  return exponential(least(zero(), x)) / (all(1.0F) + exponential(negative));
}

}  // namespace ds4::fast
