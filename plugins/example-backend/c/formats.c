/* Arithmetic instead of tables and bit tricks: the rule of each format can be read here. Rounding
 * is to nearest even. */
#include "formats.h"

#include <math.h>
#include <string.h>

/* A format with `fraction` fraction bits and exponent bias `bias`: the value of a code without its
 * sign, and the nearest code of a magnitude. Exponent 0 holds the subnormal values. */
static double small_value(uint32_t code, int fraction, int bias) {
  const int exponent = (int)(code >> fraction);
  const uint32_t one = 1u << fraction;
  const uint32_t digits = code & (one - 1);
  return exponent == 0 ? ldexp(digits, 1 - bias - fraction)
                       : ldexp(one + digits, exponent - bias - fraction);
}

static uint32_t small_code(double magnitude, int fraction, int bias) {
  int exponent = 0;
  if (magnitude == 0) return 0;
  frexp(magnitude, &exponent);
  exponent = exponent - 1 < 1 - bias ? 1 - bias : exponent - 1; /* that of the leading digit */
  /* The leading digit adds itself to the exponent, and so does a carry out of the digits. */
  return ((uint32_t)(exponent + bias - 1) << fraction) +
         (uint32_t)nearbyint(ldexp(magnitude, fraction - exponent));
}

float from_16(uint16_t bits, int fraction) {
  const uint32_t code = bits & 0x7fffu;
  const uint32_t infinity = 0x8000u - (1u << fraction);
  float value = NAN;
  if (code == infinity) value = INFINITY;
  if (code < infinity) value = (float)small_value(code, fraction, (1 << (14 - fraction)) - 1);
  return (bits & 0x8000u) != 0 ? -value : value;
}

uint16_t to_16(float value, int fraction) {
  const uint32_t infinity = 0x8000u - (1u << fraction);
  const uint32_t sign = signbit(value) ? 0x8000u : 0;
  uint32_t code = infinity;
  if (isnan(value)) return (uint16_t)(sign | 0x7fffu);
  if (!isinf(value)) code = small_code(fabs((double)value), fraction, (1 << (14 - fraction)) - 1);
  return (uint16_t)(sign | (code < infinity ? code : infinity));
}

static uint16_t load_16(const unsigned char* p) {
  uint16_t bits;
  memcpy(&bits, p, sizeof bits);
  return bits;
}

float plain_value(uint32_t dtype, const unsigned char* row, uint64_t i) {
  float value;
  if (dtype == DS4_DTYPE_F16) return from_16(load_16(row + 2 * i), HALF);
  if (dtype == DS4_DTYPE_BF16) return from_16(load_16(row + 2 * i), BFLOAT);
  memcpy(&value, row + 4 * i, sizeof value);
  return value;
}

/* The e8m0 code of a block's scale: 2^ceil(log2(max(|x|, floor) / largest)), quotient in f32. */
static uint32_t scale_code(bool is_fp8, const float* x, uint32_t n) {
  float most = is_fp8 ? 1e-4F : 6 * 0x1p-126F;
  int exponent = 0;
  for (uint32_t i = 0; i < n; ++i) {
    if (!(fabsf(x[i]) <= most)) most = fabsf(x[i]);
    if (!isfinite(most)) return 255; /* NaN */
  }
  const float digits = frexpf(most / (is_fp8 ? 448.0F : 6.0F), &exponent);
  return (uint32_t)(127 + exponent - (digits == 0.5F ? 1 : 0));
}

static float scale_value(uint32_t code) {
  return code == 255 ? NAN : ldexpf(1.0F, (int)code - 127);
}

static uint32_t block_code(bool is_fp8, float quotient) {
  const uint32_t sign_bit = is_fp8 ? 0x80u : 8u;
  const uint32_t sign = signbit(quotient) ? sign_bit : 0;
  const double largest = is_fp8 ? 448 : 6;
  const double magnitude = fabs((double)quotient);
  if (isnan(quotient)) return sign | (sign_bit - 1);
  return sign |
         small_code(magnitude < largest ? magnitude : largest, is_fp8 ? 3 : 1, is_fp8 ? 7 : 1);
}

static float block_value(bool is_fp8, uint32_t code) {
  const uint32_t sign_bit = is_fp8 ? 0x80u : 8u;
  const uint32_t magnitude = code & (sign_bit - 1);
  if (is_fp8 && magnitude == 0x7f) return NAN;
  const float value = (float)small_value(magnitude, is_fp8 ? 3 : 1, is_fp8 ? 7 : 1);
  return (code & sign_bit) != 0 ? -value : value;
}

void round_block(bool is_fp8, float* x, uint32_t n) {
  const float scale = scale_value(scale_code(is_fp8, x, n));
  for (uint32_t i = 0; i < n; ++i) {
    x[i] = block_value(is_fp8, block_code(is_fp8, x[i] / scale)) * scale;
  }
}

/* Where the parts of an encoded row begin (ds4/backend.h): codes at 0, then scales, then the tail.
 */
typedef struct {
  bool is_fp8;
  uint32_t block, coded;
  uint64_t scales, tail, bytes;
} row_layout;

static uint64_t round_up_4(uint64_t n) {
  return (n + 3) / 4 * 4;
}

static row_layout layout_of(uint32_t dtype, uint32_t width, uint32_t tail) {
  row_layout at = {dtype == DS4_DTYPE_KV_ROW, 32, width, ((uint64_t)width + 1) / 2, 0, 0};
  if (at.is_fp8) {
    at.block = 64;
    at.coded = width - tail;
    at.scales = at.coded;
  }
  at.tail = round_up_4(at.scales + ((uint64_t)at.coded + at.block - 1) / at.block);
  at.bytes = at.is_fp8 ? round_up_4(at.tail + 2 * (uint64_t)tail) : at.tail;
  return at;
}

static bool is_encoded(uint32_t dtype) {
  return dtype == DS4_DTYPE_KV_ROW || dtype == DS4_DTYPE_INDEX_ROW;
}

uint64_t row_bytes(uint32_t dtype, uint32_t width, uint32_t tail) {
  if (is_encoded(dtype)) return layout_of(dtype, width, tail).bytes;
  return (uint64_t)width * (dtype == DS4_DTYPE_F16 || dtype == DS4_DTYPE_BF16 ? 2 : 4);
}

void decode_row(uint32_t dtype, uint32_t tail, const unsigned char* in, uint32_t width,
                float* out) {
  if (!is_encoded(dtype)) {
    for (uint32_t i = 0; i < width; ++i) out[i] = plain_value(dtype, in, i);
    return;
  }
  const row_layout at = layout_of(dtype, width, tail);
  for (uint32_t i = 0; i < at.coded; ++i) {
    const uint32_t code = at.is_fp8 ? in[i] : in[i / 2] >> (4 * (i % 2)) & 15u;
    out[i] = block_value(at.is_fp8, code) * scale_value(in[at.scales + i / at.block]);
  }
  for (uint32_t i = at.coded; i < width; ++i) {
    out[i] = from_16(load_16(in + at.tail + 2 * (uint64_t)(i - at.coded)), BFLOAT);
  }
}

void encode_row(uint32_t dtype, uint32_t tail, const float* in, uint32_t width,
                unsigned char* out) {
  if (dtype == DS4_DTYPE_F32) {
    memcpy(out, in, 4 * (uint64_t)width);
    return;
  }
  if (!is_encoded(dtype)) {
    for (uint32_t i = 0; i < width; ++i) {
      const uint16_t bits = to_16(in[i], dtype == DS4_DTYPE_F16 ? HALF : BFLOAT);
      memcpy(out + 2 * (uint64_t)i, &bits, 2);
    }
    return;
  }
  const row_layout at = layout_of(dtype, width, tail);
  memset(out, 0, at.bytes);
  for (uint32_t begin = 0; begin < at.coded; begin += at.block) {
    const uint32_t n = at.coded - begin < at.block ? at.coded - begin : at.block;
    const uint32_t scale = scale_code(at.is_fp8, in + begin, n);
    out[at.scales + begin / at.block] = (unsigned char)scale;
    for (uint32_t i = begin; i < begin + n; ++i) {
      const uint32_t code = block_code(at.is_fp8, in[i] / scale_value(scale));
      if (at.is_fp8) {
        out[i] = (unsigned char)code;
      } else {
        out[i / 2] = (unsigned char)(out[i / 2] | code << (4 * (i % 2)));
      }
    }
  }
  for (uint32_t i = at.coded; i < width; ++i) {
    const uint16_t bits = to_16(in[i], BFLOAT);
    memcpy(out + at.tail + 2 * (uint64_t)(i - at.coded), &bits, 2);
  }
}
