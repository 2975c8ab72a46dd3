#include "ops/row_codec.hpp"

#include <cmath>
#include <cstring>
#include <limits>

#include "format/half.hpp"

namespace ds4 {
namespace {

float e4m3(std::uint8_t code) {
  const int exponent = (code >> 3) & 15;
  const int mantissa = code & 7;
  const float sign = (code & 0x80) != 0 ? -1.0F : 1.0F;
  if (exponent == 15 && mantissa == 7) return std::numeric_limits<float>::quiet_NaN();
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -9);
  return sign * std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
}

float e2m1(std::uint8_t code) {
  constexpr float kValues[] = {0, 0.5F, 1, 1.5F, 2, 3, 4, 6};
  const float value = kValues[code & 7];
  return (code & 8) != 0 ? -value : value;
}

std::uint16_t word(const std::byte* at) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, at, sizeof(bits));
  return bits;
}

int scale_exponent(std::byte code) {
  return std::to_integer<int>(code) - 127;
}

}  // namespace

std::vector<float> decode_view_row(std::uint32_t dtype, std::uint32_t width, std::uint32_t row_tail,
                                   const std::byte* row) {
  std::vector<float> values(width);
  const std::uint32_t head = dtype == DS4_DTYPE_KV_ROW ? width - row_tail : width;
  const std::byte* scales = row + (dtype == DS4_DTYPE_KV_ROW ? head : (width + 1) / 2);
  // Scales are padded to whole words, so that the tail begins on one.
  const std::byte* tail = row + (head + (head + 63) / 64 + 3) / 4 * 4;
  for (std::uint32_t i = 0; i < width; ++i) {
    switch (dtype) {
      case DS4_DTYPE_F32:
        std::memcpy(&values[i], row + std::size_t{4} * i, 4);
        break;
      case DS4_DTYPE_F16:
        values[i] = half_to_float(word(row + std::size_t{2} * i));
        break;
      case DS4_DTYPE_BF16:
        values[i] = bfloat_to_float(word(row + std::size_t{2} * i));
        break;
      case DS4_DTYPE_KV_ROW:
        values[i] = i < head ? std::ldexp(e4m3(std::to_integer<std::uint8_t>(row[i])),
                                          scale_exponent(scales[i / 64]))
                             : bfloat_to_float(word(tail + std::size_t{2} * (i - head)));
        break;
      case DS4_DTYPE_INDEX_ROW: {
        const auto pair = std::to_integer<std::uint8_t>(row[i / 2]);
        const auto code = static_cast<std::uint8_t>(i % 2 == 0 ? pair & 15 : pair >> 4);
        values[i] = std::ldexp(e2m1(code), scale_exponent(scales[i / 32]));
        break;
      }
      default:
        values[i] = std::numeric_limits<float>::quiet_NaN();
    }
  }
  return values;
}

}  // namespace ds4
