/// The products of bytes.hpp without vector instructions. bytes.hpp says what each function is.
#pragma once

#include "rounded_lanes.hpp"
#include "vector.hpp"

namespace ds4::fast {

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
inline Bytes64 scaled(Bytes64 w, I32 scale) noexcept {
  for (std::uint32_t i = 0; i < 4 * kLanes; ++i) {
    w.v[i] = static_cast<std::uint8_t>(w.v[i] * scale.v[i / 4]);
  }
  return w;
}
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

}  // namespace ds4::fast
