// Small floating-point formats, weights value by value, and stored rows. Arithmetic instead of
// tables and bit tricks: the rule of each format can be read here. Rounding is to nearest even.
#pragma once

#include <cmath>
#include <limits>

#include "objects.hpp"

namespace example {

// A format with `fraction` fraction bits and exponent bias `bias`: the value of a code without its
// sign, and the nearest code of a magnitude. Exponent 0 holds the subnormal values.
inline double small_value(std::uint32_t code, int fraction, int bias) noexcept {
  const int exponent = static_cast<int>(code >> fraction);
  const std::uint32_t one = 1u << fraction;
  const std::uint32_t digits = code & (one - 1);
  return exponent == 0 ? std::ldexp(digits, 1 - bias - fraction)
                       : std::ldexp(one + digits, exponent - bias - fraction);
}
inline std::uint32_t small_code(double magnitude, int fraction, int bias) noexcept {
  if (magnitude == 0) return 0;
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  exponent = exponent - 1 < 1 - bias ? 1 - bias : exponent - 1;  // that of the leading digit
  const double digits = std::nearbyint(std::ldexp(magnitude, fraction - exponent));
  // The leading digit adds itself to the exponent, and so does a carry out of the digits.
  return (static_cast<std::uint32_t>(exponent + bias - 1) << fraction) +
         static_cast<std::uint32_t>(digits);
}
inline float with_sign(double magnitude, bool is_negative) noexcept {
  return static_cast<float>(is_negative ? -magnitude : magnitude);
}

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kInf = std::numeric_limits<float>::infinity();

// F16 (5 exponent bits, 10 fraction bits) and BF16 (8 and 7), the 16-bit formats of IEEE shape.
inline float from_16(std::uint16_t bits, int fraction) noexcept {
  const std::uint32_t code = bits & 0x7fffu;
  const std::uint32_t infinity = 0x8000u - (1u << fraction);
  const bool is_negative = (bits & 0x8000u) != 0;
  if (code > infinity) return kNan;
  if (code == infinity) return is_negative ? -kInf : kInf;
  return with_sign(small_value(code, fraction, (1 << (14 - fraction)) - 1), is_negative);
}
inline std::uint16_t to_16(float value, int fraction) noexcept {
  const std::uint32_t infinity = 0x8000u - (1u << fraction);
  const std::uint32_t sign = std::signbit(value) ? 0x8000u : 0;
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | 0x7fffu);
  std::uint32_t code = infinity;
  if (!std::isinf(value)) code = small_code(std::fabs(value), fraction, (1 << (14 - fraction)) - 1);
  return static_cast<std::uint16_t>(sign | (code < infinity ? code : infinity));
}
inline constexpr int kHalf = 10;  // fraction bits
inline constexpr int kBfloat = 7;

template <class T>
T load(const std::byte* p) noexcept {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

// Value i of a row of a weight.
inline float weight_value(std::uint32_t dtype, const std::byte* row, std::uint64_t i) noexcept {
  switch (dtype) {
    case DS4_DTYPE_F16:
      return from_16(load<std::uint16_t>(row + 2 * i), kHalf);
    case DS4_DTYPE_BF16:
      return from_16(load<std::uint16_t>(row + 2 * i), kBfloat);
    case DS4_DTYPE_Q8_0: {  // blocks of 32: a half scale, then 32 signed bytes
      const std::byte* block = row + i / 32 * 34;
      return from_16(load<std::uint16_t>(block), kHalf) * load<std::int8_t>(block + 2 + i % 32);
    }
    default:
      return load<float>(row + 4 * i);
  }
}

// ---- the roundings of the model -----------------------------------------------------------------

// A block shares a power of two: 2^ceil(log2(max(|x|, floor) / largest)), the quotient in f32. Its
// e8m0 code is the exponent plus 127; 255 stands for NaN.
struct BlockFormat {
  std::uint32_t block;
  float floor, largest;
  int fraction, bias;
};
inline constexpr BlockFormat kE4m3 = {64, 1e-4F, 448, 3, 7};
inline constexpr BlockFormat kE2m1 = {32, 6 * 0x1p-126F, 6, 1, 1};

inline std::uint32_t scale_code(const BlockFormat& format, const float* x,
                                std::uint32_t n) noexcept {
  float most = format.floor;
  for (std::uint32_t i = 0; i < n; ++i) {
    if (!(std::fabs(x[i]) <= most)) most = std::fabs(x[i]);
    if (!std::isfinite(most)) return 255;
  }
  int exponent = 0;
  const float digits = std::frexp(most / format.largest, &exponent);
  return static_cast<std::uint32_t>(127 + exponent - (digits == 0.5F ? 1 : 0));
}
inline float scale_value(std::uint32_t code) noexcept {
  return code == 255 ? kNan : std::ldexp(1.0F, static_cast<int>(code) - 127);
}
inline std::uint32_t block_code(const BlockFormat& format, float quotient) noexcept {
  const std::uint32_t sign_bit = format.fraction == 3 ? 0x80u : 8u;
  const std::uint32_t sign = std::signbit(quotient) ? sign_bit : 0;
  if (std::isnan(quotient)) return sign | (sign_bit - 1);
  const double magnitude = std::fabs(quotient);
  return sign | small_code(magnitude < format.largest ? magnitude : format.largest, format.fraction,
                           format.bias);
}
inline float block_value(const BlockFormat& format, std::uint32_t code) noexcept {
  const std::uint32_t sign_bit = format.fraction == 3 ? 0x80u : 8u;
  const std::uint32_t magnitude = code & (sign_bit - 1);
  if (format.fraction == 3 && magnitude == 0x7f) return kNan;
  return with_sign(small_value(magnitude, format.fraction, format.bias), (code & sign_bit) != 0);
}

inline void round_block(const BlockFormat& format, float* x, std::uint32_t n) noexcept {
  const float scale = scale_value(scale_code(format, x, n));
  for (std::uint32_t i = 0; i < n; ++i) {
    x[i] = block_value(format, block_code(format, x[i] / scale)) * scale;
  }
}

// ---- stored rows --------------------------------------------------------------------------------

// One row of a view of any row dtype, to and from floats; layouts in ds4/backend.h.
inline void decode_row(std::uint32_t dtype, std::uint32_t tail, const std::byte* in,
                       std::uint32_t width, float* out) noexcept {
  if (dtype == DS4_DTYPE_KV_ROW) {
    const sdk::RowLayout at = sdk::kv_row_layout(width, tail);
    for (std::uint32_t i = 0; i < width - tail; ++i) {
      const float scale = scale_value(load<std::uint8_t>(in + at.scales + i / kE4m3.block));
      out[i] = block_value(kE4m3, load<std::uint8_t>(in + i)) * scale;
    }
    for (std::uint32_t i = 0; i < tail; ++i) {
      out[width - tail + i] = from_16(load<std::uint16_t>(in + at.tail + 2 * i), kBfloat);
    }
  } else if (dtype == DS4_DTYPE_INDEX_ROW) {
    const sdk::RowLayout at = sdk::index_row_layout(width);
    for (std::uint32_t i = 0; i < width; ++i) {
      const float scale = scale_value(load<std::uint8_t>(in + at.scales + i / kE2m1.block));
      out[i] = block_value(kE2m1, load<std::uint8_t>(in + i / 2) >> (4 * (i % 2)) & 15u) * scale;
    }
  } else {
    for (std::uint32_t i = 0; i < width; ++i) out[i] = weight_value(dtype, in, i);
  }
}

inline void encode_row(std::uint32_t dtype, std::uint32_t tail, const float* in,
                       std::uint32_t width, std::byte* out) noexcept {
  const bool is_kv = dtype == DS4_DTYPE_KV_ROW;
  if (!sdk::is_row_dtype(dtype)) {
    for (std::uint32_t i = 0; i < width; ++i) {
      if (dtype == DS4_DTYPE_F32) {
        std::memcpy(out + 4 * std::uint64_t{i}, in + i, 4);
      } else {
        const std::uint16_t bits = to_16(in[i], dtype == DS4_DTYPE_F16 ? kHalf : kBfloat);
        std::memcpy(out + 2 * std::uint64_t{i}, &bits, 2);
      }
    }
    return;
  }
  const BlockFormat& format = is_kv ? kE4m3 : kE2m1;
  const sdk::RowLayout at = is_kv ? sdk::kv_row_layout(width, tail) : sdk::index_row_layout(width);
  const std::uint32_t coded = is_kv ? width - tail : width;
  std::memset(out, 0, at.bytes);
  for (std::uint32_t begin = 0; begin < coded; begin += format.block) {
    const std::uint32_t n = coded - begin < format.block ? coded - begin : format.block;
    const std::uint32_t code = scale_code(format, in + begin, n);
    out[at.scales + begin / format.block] = static_cast<std::byte>(code);
    for (std::uint32_t i = begin; i < begin + n; ++i) {
      const std::uint32_t value = block_code(format, in[i] / scale_value(code));
      if (is_kv) {
        out[i] = static_cast<std::byte>(value);
      } else {
        out[i / 2] |= static_cast<std::byte>(value << (4 * (i % 2)));
      }
    }
  }
  for (std::uint32_t i = coded; i < width; ++i) {
    const std::uint16_t bits = to_16(in[i], kBfloat);
    std::memcpy(out + at.tail + 2 * std::uint64_t{i - coded}, &bits, 2);
  }
}

}  // namespace example
