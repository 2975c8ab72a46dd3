/// The products of bytes.hpp with NEON, with its DOT or with its MATMUL_INT8 instructions where the
/// level has them. bytes.hpp says what each function is.
#pragma once

#include "rounded_lanes.hpp"
#include "vector.hpp"

namespace ds4::fast {

struct I32 {
  int32x4_t v[4];
};
struct Bytes64 {
  uint8x16_t v[4];
};
#define DS4_EACH(type, expression) \
  type r;                          \
  for (int i = 0; i < 4; ++i) {    \
    r.v[i] = (expression);         \
  }                                \
  return r
inline Bytes64 load_bytes(const std::byte* p) noexcept {
  DS4_EACH(Bytes64, vld1q_u8(reinterpret_cast<const std::uint8_t*>(p) + 16 * i));
}
inline I32 all_int(std::int32_t x) noexcept {
  DS4_EACH(I32, vdupq_n_s32(x));
}
inline I32 operator+(I32 a, I32 b) noexcept {
  DS4_EACH(I32, vaddq_s32(a.v[i], b.v[i]));
}
inline I32 operator*(I32 a, I32 b) noexcept {
  DS4_EACH(I32, vmulq_s32(a.v[i], b.v[i]));
}
inline I32 times_short(I32 a, I32 b) noexcept {
  return a * b;
}
inline F32 to_f32(I32 a) noexcept {
  DS4_EACH(F32, reinterpret_cast<F32x4>(vcvtq_f32_s32(a.v[i])));
}
inline int8x16_t four_bytes(const std::int8_t* a) noexcept {
  std::int32_t four;
  std::memcpy(&four, a, 4);
  return vreinterpretq_s8_s32(vdupq_n_s32(four));
}
/// acc + sum of w * a over the four bytes of each lane, both signed; no pair may leave 16 bits.
inline int32x4_t signed_dot4(int32x4_t acc, int8x16_t w, int8x16_t a) noexcept {
#if defined(__ARM_FEATURE_DOTPROD)
  return vdotq_s32(acc, w, a);
#else
  const int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(a));
  return vpadalq_s16(acc, vpaddq_s16(low, vmull_high_s8(w, a)));
#endif
}
inline I32 dot4(I32 acc, Bytes64 w, const std::int8_t* a) noexcept {
  // Below 128 unsigned is signed.
  const int8x16_t four = four_bytes(a);
  DS4_EACH(I32, signed_dot4(acc.v[i], vreinterpretq_s8_u8(w.v[i]), four));
}
#if defined(__ARM_FEATURE_MATMUL_INT8)
inline constexpr std::int32_t kSignedBias = 128;
inline I32 dot4_signed(I32 acc, Bytes64 w, const std::int8_t* a) noexcept {
  const int8x16_t four = four_bytes(a);
  DS4_EACH(I32, vusdotq_s32(acc.v[i], w.v[i], four));
}
#else
inline constexpr std::int32_t kSignedBias = 0;
inline I32 dot4_signed(I32 acc, Bytes64 w, const std::int8_t* a) noexcept {
  const int8x16_t four = four_bytes(a);
  DS4_EACH(I32,
           signed_dot4(acc.v[i], vreinterpretq_s8_u8(veorq_u8(w.v[i], vdupq_n_u8(128))), four));
}
#endif
template <int Part>
inline Bytes64 two_bits(Bytes64 w) noexcept {
  if constexpr (Part == 0) {
    DS4_EACH(Bytes64, vandq_u8(w.v[i], vdupq_n_u8(3)));
  } else {
    DS4_EACH(Bytes64, vandq_u8(vshrq_n_u8(w.v[i], 2 * Part), vdupq_n_u8(3)));
  }
}
inline Bytes64 high_nibbles(Bytes64 w) noexcept {
  DS4_EACH(Bytes64, vshrq_n_u8(w.v[i], 4));
}
template <int Part>
inline I32 low_nibble(Bytes64 w) noexcept {
  if constexpr (Part == 0) {
    DS4_EACH(I32, vandq_s32(vreinterpretq_s32_u8(w.v[i]), vdupq_n_s32(15)));
  } else {
    DS4_EACH(I32, vandq_s32(vshrq_n_s32(vreinterpretq_s32_u8(w.v[i]), 8 * Part), vdupq_n_s32(15)));
  }
}
inline I32 odd_scale(Bytes64 w) noexcept {
  DS4_EACH(I32, vorrq_s32(vandq_s32(vshrq_n_s32(vreinterpretq_s32_u8(w.v[i]), 27), vdupq_n_s32(30)),
                          vdupq_n_s32(1)));
}
inline Bytes64 scaled(Bytes64 w, I32 scale) noexcept {
  DS4_EACH(Bytes64, vmulq_u8(w.v[i], vreinterpretq_u8_s32(vmulq_n_s32(scale.v[i], 0x01010101))));
}
inline F32 load_halves(const std::byte* p) noexcept {
  const auto* halves = reinterpret_cast<const std::uint8_t*>(p);
  DS4_EACH(F32,
           reinterpret_cast<F32x4>(vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(halves + 8 * i)))));
}
#undef DS4_EACH

}  // namespace ds4::fast
