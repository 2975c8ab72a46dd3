/// Small floating-point formats, written out by hand: half, bf16, e4m3fn, e2m1, e8m0.
///
/// Rounding is to nearest even everywhere. Everything is a pure function of bits, so the results
/// do not depend on the processor's rounding mode for anything but the f32 quotients of a scale.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace ds4::cpu {

constexpr float bits_to_float(std::uint32_t bits) noexcept {
  return std::bit_cast<float>(bits);
}
constexpr std::uint32_t float_to_bits(float value) noexcept {
  return std::bit_cast<std::uint32_t>(value);
}

/// Exact: a half's 10 fraction bits land in the top of f32's 23, and 2^112 moves the exponent
/// bias from 15 to 127, subnormals included. Infinity and NaN need their exponent filled.
constexpr float half_to_float(std::uint16_t half) noexcept {
  const std::uint32_t magnitude = std::uint32_t{half} & 0x7fffu;
  const float scaled = bits_to_float(magnitude << 13) * bits_to_float(0x77800000u);
  const std::uint32_t special = magnitude >= 0x7c00u ? 0x7f800000u : 0u;
  const std::uint32_t sign = (std::uint32_t{half} & 0x8000u) << 16;
  return bits_to_float((float_to_bits(scaled) | special) | sign);
}

/// Round to nearest even; beyond the range infinity; NaN stays a quiet NaN.
constexpr std::uint16_t float_to_half(float value) noexcept {
  const std::uint32_t bits = float_to_bits(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);
  if (magnitude >= 0x47800000u) return static_cast<std::uint16_t>(sign | 0x7c00u);
  const std::uint32_t exponent = magnitude >> 23;
  std::uint32_t fraction = (magnitude & 0x7fffffu) | 0x800000u;
  // `drop` bits fall away; normal halves keep 11 significant bits, subnormal ones fewer.
  const std::uint32_t drop = exponent >= 113 ? 13 : 126 - exponent;
  if (drop > 24) return static_cast<std::uint16_t>(sign);
  const std::uint32_t half_ulp = 1u << (drop - 1);
  const std::uint32_t rest = fraction & ((1u << drop) - 1);
  fraction >>= drop;
  if (rest > half_ulp || (rest == half_ulp && (fraction & 1u) != 0)) ++fraction;
  // The hidden bit adds itself to the exponent field, and a carry out of the fraction does too.
  const std::uint32_t base = exponent >= 113 ? (exponent - 113) << 10 : 0;
  return static_cast<std::uint16_t>(sign | (base + fraction));
}

constexpr float bf16_to_float(std::uint16_t value) noexcept {
  return bits_to_float(std::uint32_t{value} << 16);
}

constexpr std::uint16_t float_to_bf16(float value) noexcept {
  const std::uint32_t bits = float_to_bits(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

/// The value of an e8m0 code, 2^(code - 127); 0 is the subnormal 2^-127, 255 is NaN.
constexpr float e8m0_to_float(std::uint8_t code) noexcept {
  if (code == 0) return bits_to_float(0x00400000u);
  if (code == 255) return bits_to_float(0x7fc00000u);
  return bits_to_float(std::uint32_t{code} << 23);
}

/// Smallest e8m0 code whose value is at least `quotient` (positive, finite or not): the exponent,
/// plus one if any fraction bit is set.
constexpr std::uint8_t ceil_e8m0(float quotient) noexcept {
  const std::uint32_t bits = float_to_bits(quotient);
  if (bits >= 0x7f800000u) return 255;
  if (bits <= 0x00400000u) return 0;
  const std::uint32_t code = (bits >> 23) + ((bits & 0x7fffffu) != 0 ? 1 : 0);
  return static_cast<std::uint8_t>(code < 255 ? code : 254);
}

/// e4m3fn: 4 exponent bits of bias 7, 3 fraction bits, 448 the largest, 0x7f and 0xff NaN.
constexpr float e4m3_to_float(std::uint8_t code) noexcept {
  const std::uint32_t exponent = (code >> 3) & 15u;
  const std::uint32_t fraction = code & 7u;
  if ((code & 0x7fu) == 0x7fu) return bits_to_float(0x7fc00000u);
  float magnitude = 0;
  if (exponent == 0) {
    magnitude = static_cast<float>(fraction) * 0.001953125F;  // 2^-9
  } else {
    magnitude = bits_to_float(((exponent + 120) << 23) | (fraction << 20));
  }
  return (code & 0x80u) != 0 ? -magnitude : magnitude;
}

/// Clamped to +-448, then to nearest even. NaN gives NaN.
constexpr std::uint8_t float_to_e4m3(float value) noexcept {
  const std::uint32_t bits = float_to_bits(value);
  const auto sign = static_cast<std::uint8_t>((bits >> 24) & 0x80u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<std::uint8_t>(sign | 0x7fu);
  if (magnitude >= 0x43e00000u) return static_cast<std::uint8_t>(sign | 0x7eu);  // 448
  const std::uint32_t exponent = magnitude >> 23;
  std::uint32_t fraction = (magnitude & 0x7fffffu) | 0x800000u;
  // 2^-6 is the smallest normal (f32 exponent 121); below it the step stays 2^-9.
  const std::uint32_t drop = exponent >= 121 ? 20 : 141 - exponent;
  if (drop > 24) return sign;
  const std::uint32_t half_ulp = 1u << (drop - 1);
  const std::uint32_t rest = fraction & ((1u << drop) - 1);
  fraction >>= drop;
  if (rest > half_ulp || (rest == half_ulp && (fraction & 1u) != 0)) ++fraction;
  const std::uint32_t base = exponent >= 121 ? (exponent - 121) << 3 : 0;
  return static_cast<std::uint8_t>(sign | (base + fraction));
}

inline constexpr float kE2m1[8] = {0.0F, 0.5F, 1.0F, 1.5F, 2.0F, 3.0F, 4.0F, 6.0F};

constexpr float e2m1_to_float(std::uint8_t code) noexcept {
  const float magnitude = kE2m1[code & 7u];
  return (code & 8u) != 0 ? -magnitude : magnitude;
}

/// Nearest of the eight magnitudes, ties to the even code, clamped to 6; sign in bit 3. NaN has no
/// code here: the caller keeps it apart.
constexpr std::uint8_t float_to_e2m1(float value) noexcept {
  const float m = value < 0 ? -value : value;
  // The middles between neighbours, without a branch; a middle itself goes to the even code.
  const int code = int{m > 0.25F} + int{m >= 0.75F} + int{m > 1.25F} + int{m >= 1.75F} +
                   int{m > 2.5F} + int{m >= 3.5F} + int{m > 5.0F};
  const std::uint32_t sign = (float_to_bits(value) >> 28) & 8u;
  return static_cast<std::uint8_t>(static_cast<std::uint32_t>(code) | sign);
}

static_assert(half_to_float(0x3c00) == 1.0F && half_to_float(0x0001) == 0x1p-24F);
static_assert(float_to_half(65504.0F) == 0x7bff && float_to_half(65520.0F) == 0x7c00);
static_assert(float_to_e4m3(448.0F) == 0x7e && float_to_e4m3(0x1p-9F) == 1);
static_assert(float_to_e4m3(0x1p-10F) == 0 && float_to_e4m3(0x1.8p-9F) == 2);
static_assert(float_to_e2m1(5.0F) == 6 && float_to_e2m1(2.5F) == 4 && float_to_e2m1(-0.75F) == 10);

}  // namespace ds4::cpu
