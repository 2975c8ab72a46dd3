#include "dequant.hpp"

#include <bit>
#include <cstring>

#include "numbers.hpp"

namespace ds4::cpu {
namespace {

using Byte = std::uint8_t;

constexpr std::uint64_t kGrid[256] = {
#include "iq2_xxs_grid.inc"
};

std::uint16_t load16(const Byte* p) noexcept {
  std::uint16_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}
std::uint32_t load32(const Byte* p) noexcept {
  std::uint32_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}
float half_at(const Byte* p) noexcept {
  return half_to_float(load16(p));
}

void f32_row(const Byte* in, std::uint64_t n, float* out) noexcept {
  std::memcpy(out, in, n * 4);
}

void f16_row(const Byte* in, std::uint64_t n, float* out) noexcept {
  for (std::uint64_t i = 0; i < n; ++i) out[i] = half_at(in + 2 * i);
}

void bf16_row(const Byte* in, std::uint64_t n, float* out) noexcept {
  for (std::uint64_t i = 0; i < n; ++i) out[i] = bf16_to_float(load16(in + 2 * i));
}

void q8_0(const Byte* b, float* y) noexcept {
  const float d = half_at(b);
  for (int i = 0; i < 32; ++i) y[i] = d * static_cast<float>(static_cast<std::int8_t>(b[2 + i]));
}

void q4_0(const Byte* b, float* y) noexcept {
  const float d = half_at(b);
  for (int i = 0; i < 16; ++i) {
    y[i] = d * static_cast<float>((b[2 + i] & 15) - 8);
    y[i + 16] = d * static_cast<float>((b[2 + i] >> 4) - 8);
  }
}

void mxfp4(const Byte* b, float* y) noexcept {
  const float scale = e8m0_to_float(b[0]);
  for (int i = 0; i < 16; ++i) {
    y[i] = scale * e2m1_to_float(b[1 + i] & 15);
    y[i + 16] = scale * e2m1_to_float(b[1 + i] >> 4);
  }
}

void q2_k(const Byte* b, float* y) noexcept {
  const float d = half_at(b + 80);
  const float dmin = half_at(b + 82);
  for (int g = 0; g < 16; ++g) {
    const float scale = d * static_cast<float>(b[g] & 15);
    const float minimum = dmin * static_cast<float>(b[g] >> 4);
    const Byte* q = b + 16 + 32 * (g / 8) + 16 * (g % 2);
    const int shift = 2 * ((g % 8) / 2);
    for (int l = 0; l < 16; ++l) {
      y[16 * g + l] = scale * static_cast<float>((q[l] >> shift) & 3) - minimum;
    }
  }
}

void q3_k(const Byte* b, float* y) noexcept {
  const float d = half_at(b + 108);
  const Byte* scales = b + 96;
  for (int g = 0; g < 16; ++g) {
    const int low = g < 8 ? scales[g] & 15 : scales[g - 8] >> 4;
    const int high = (scales[8 + (g & 3)] >> (2 * (g / 4))) & 3;
    const float scale = d * static_cast<float>((low | high << 4) - 32);
    const int lane = 16 * (g % 2);
    const Byte* q = b + 32 + 32 * (g / 8) + lane;
    const int shift = 2 * ((g % 8) / 2);
    const int bit = g / 2;  // 4 * half + j
    for (int l = 0; l < 16; ++l) {
      const int value = ((q[l] >> shift) & 3) - ((b[lane + l] >> bit & 1) != 0 ? 0 : 4);
      y[16 * g + l] = scale * static_cast<float>(value);
    }
  }
}

/// The 6-bit scale and minimum of sub-block j of Q4_K and Q5_K.
struct ScaleMin {
  int scale, minimum;
};
ScaleMin six_bit(const Byte* s, int j) noexcept {
  if (j < 4) return {s[j] & 63, s[j + 4] & 63};
  return {(s[j + 4] & 15) | ((s[j - 4] >> 6) << 4), (s[j + 4] >> 4) | ((s[j] >> 6) << 4)};
}

void q4_k(const Byte* b, float* y) noexcept {
  const float d = half_at(b);
  const float dmin = half_at(b + 2);
  for (int j = 0; j < 8; ++j) {
    const ScaleMin sm = six_bit(b + 4, j);
    const float scale = d * static_cast<float>(sm.scale);
    const float minimum = dmin * static_cast<float>(sm.minimum);
    const Byte* q = b + 16 + 32 * (j / 2);
    const int shift = 4 * (j % 2);
    for (int l = 0; l < 32; ++l) {
      y[32 * j + l] = scale * static_cast<float>((q[l] >> shift) & 15) - minimum;
    }
  }
}

void q5_k(const Byte* b, float* y) noexcept {
  const float d = half_at(b);
  const float dmin = half_at(b + 2);
  for (int j = 0; j < 8; ++j) {
    const ScaleMin sm = six_bit(b + 4, j);
    const float scale = d * static_cast<float>(sm.scale);
    const float minimum = dmin * static_cast<float>(sm.minimum);
    const Byte* q = b + 48 + 32 * (j / 2);
    const Byte* high = b + 16;
    const int shift = 4 * (j % 2);
    for (int l = 0; l < 32; ++l) {
      const int value = ((q[l] >> shift) & 15) + 16 * ((high[l] >> j) & 1);
      y[32 * j + l] = scale * static_cast<float>(value) - minimum;
    }
  }
}

void q6_k(const Byte* b, float* y) noexcept {
  const float d = half_at(b + 208);
  for (int g = 0; g < 16; ++g) {
    const int half = g / 8;
    const int quarter = (g % 8) / 2;  // which 32 of the 128
    const int lane = 16 * (g % 2);
    const float scale = d * static_cast<float>(static_cast<std::int8_t>(b[192 + g]));
    const Byte* low = b + 64 * half + 32 * (quarter % 2) + lane;
    const Byte* high = b + 128 + 32 * half + lane;
    for (int l = 0; l < 16; ++l) {
      const int nibble = quarter < 2 ? low[l] & 15 : low[l] >> 4;
      const int value = (nibble | ((high[l] >> (2 * quarter)) & 3) << 4) - 32;
      y[16 * g + l] = scale * static_cast<float>(value);
    }
  }
}

void iq2_xxs(const Byte* b, float* y) noexcept {
  const float d = half_at(b);
  for (int s = 0; s < 8; ++s) {
    const Byte* group = b + 2 + 8 * s;
    const std::uint32_t a = load32(group + 4);
    const float scale = d * (0.5F + static_cast<float>(a >> 28)) * 0.25F;
    for (int k = 0; k < 4; ++k) {
      const std::uint64_t grid = kGrid[group[k]];
      const std::uint32_t seven = (a >> (7 * k)) & 127u;
      // The eighth sign makes their number even.
      const std::uint32_t signs = seven | (static_cast<std::uint32_t>(std::popcount(seven)) & 1u)
                                              << 7;
      for (int j = 0; j < 8; ++j) {
        const float value = scale * static_cast<float>((grid >> (8 * j)) & 255u);
        y[32 * s + 8 * k + j] = (signs >> j & 1u) != 0 ? -value : value;
      }
    }
  }
}

/// Bytes of the largest block of any format.
constexpr std::size_t kLargestBlock = 256;

using BlockDecoder = void (*)(const Byte*, float*) noexcept;

template <BlockDecoder Decode>
void blocks(const Byte* in, std::uint64_t n, std::uint32_t dtype, float* out) noexcept {
  const sdk::BlockShape shape = sdk::block_shape(dtype);
  for (std::uint64_t i = 0; i < n; i += shape.values, in += shape.bytes) Decode(in, out + i);
}

}  // namespace

bool is_float_weight(std::uint32_t dtype) noexcept {
  return dtype != DS4_DTYPE_I32 && sdk::block_shape(dtype).values != 0;
}

void dequantise(std::uint32_t dtype, const std::byte* source, std::uint64_t n,
                float* out) noexcept {
  const auto* in = reinterpret_cast<const Byte*>(source);
  switch (dtype) {
    case DS4_DTYPE_F32:
      return f32_row(in, n, out);
    case DS4_DTYPE_F16:
      return f16_row(in, n, out);
    case DS4_DTYPE_BF16:
      return bf16_row(in, n, out);
    case DS4_DTYPE_Q8_0:
      return blocks<q8_0>(in, n, dtype, out);
    case DS4_DTYPE_Q4_0:
      return blocks<q4_0>(in, n, dtype, out);
    case DS4_DTYPE_MXFP4:
      return blocks<mxfp4>(in, n, dtype, out);
    case DS4_DTYPE_Q2_K:
      return blocks<q2_k>(in, n, dtype, out);
    case DS4_DTYPE_Q3_K:
      return blocks<q3_k>(in, n, dtype, out);
    case DS4_DTYPE_Q4_K:
      return blocks<q4_k>(in, n, dtype, out);
    case DS4_DTYPE_Q5_K:
      return blocks<q5_k>(in, n, dtype, out);
    case DS4_DTYPE_Q6_K:
      return blocks<q6_k>(in, n, dtype, out);
    case DS4_DTYPE_IQ2_XXS:
      return blocks<iq2_xxs>(in, n, dtype, out);
    default:
      return;  // weight_import_begin lets no other format in
  }
}

void decode_weight_row(const ds4_weight& weight, std::uint64_t r, float* out) noexcept {
  if (weight.layout == nullptr) return dequantise(weight.dtype, weight.row(r), weight.width(), out);
  const sdk::BlockShape shape = sdk::block_shape(weight.dtype);
  const std::uint64_t row_bytes = weight.row_bytes();
  const std::uint32_t rows = weight.layout->rows;
  const std::byte* tile = weight.data + r / rows * rows * row_bytes;
  std::byte block[kLargestBlock];
  for (std::uint64_t b = 0; b < weight.width() / shape.values; ++b) {
    weight.layout->unpack_block(tile, row_bytes, static_cast<std::uint32_t>(r % rows), b, block);
    dequantise(weight.dtype, block, shape.values, out + b * shape.values);
  }
}

const float* weight_row(const ds4_weight& weight, std::uint64_t r, float* buffer) noexcept {
  const std::byte* source = weight.row(r);
  if (weight.layout == nullptr && weight.dtype == DS4_DTYPE_F32 &&
      reinterpret_cast<std::uintptr_t>(source) % 4 == 0) {
    return reinterpret_cast<const float*>(source);
  }
  decode_weight_row(weight, r, buffer);
  return buffer;
}

}  // namespace ds4::cpu
