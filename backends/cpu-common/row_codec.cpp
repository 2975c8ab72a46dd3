#include "row_codec.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "numbers.hpp"

namespace ds4::cpu {
namespace {

constexpr std::array<float, 256> kE4m3 = [] {
  std::array<float, 256> table{};
  for (std::size_t i = 0; i < 256; ++i) table[i] = e4m3_to_float(static_cast<std::uint8_t>(i));
  return table;
}();

constexpr float kFp8Floor = 1e-4F;
constexpr float kFp4Floor = 6 * 0x1p-126F;

/// Largest magnitude of a block, at least `floor`; NaN if any value is NaN.
float block_maximum(const float* x, std::uint32_t n, float floor) noexcept {
  float maximum = floor;
  for (std::uint32_t i = 0; i < n; ++i) {
    const float magnitude = std::fabs(x[i]);
    if (!(magnitude <= maximum)) maximum = magnitude;
    if (maximum != maximum) break;
  }
  return maximum;
}

std::uint8_t fp8_scale(const float* x, std::uint32_t n) noexcept {
  return ceil_e8m0(block_maximum(x, n, kFp8Floor) / 448.0F);
}
std::uint8_t fp4_scale(const float* x, std::uint32_t n) noexcept {
  return ceil_e8m0(block_maximum(x, n, kFp4Floor) / 6.0F);
}

void fp8_round(float* x, std::uint32_t n) noexcept {
  const float scale = e8m0_to_float(fp8_scale(x, n));
  for (std::uint32_t i = 0; i < n; ++i) x[i] = e4m3_to_float(float_to_e4m3(x[i] / scale)) * scale;
}

void fp4_round(float* x, std::uint32_t n) noexcept {
  const float scale = e8m0_to_float(fp4_scale(x, n));
  for (std::uint32_t i = 0; i < n; ++i) {
    // A NaN makes the scale NaN, and with it the whole block.
    x[i] = e2m1_to_float(float_to_e2m1(x[i] / scale)) * scale;
  }
}

std::uint8_t byte_at(const std::byte* p) noexcept {
  return std::to_integer<std::uint8_t>(*p);
}

void encode_kv(std::uint32_t tail, const float* in, std::uint32_t width, std::byte* out) noexcept {
  const sdk::RowLayout layout = sdk::kv_row_layout(width, tail);
  std::memset(out + layout.scales, 0, layout.bytes - layout.scales);
  const std::uint32_t coded = width - tail;
  for (std::uint32_t begin = 0, b = 0; begin < coded; begin += 64, ++b) {
    const std::uint32_t n = std::min(64u, coded - begin);
    const std::uint8_t code = fp8_scale(in + begin, n);
    const float scale = e8m0_to_float(code);
    out[layout.scales + b] = std::byte{code};
    for (std::uint32_t i = 0; i < n; ++i) {
      out[begin + i] = std::byte{float_to_e4m3(in[begin + i] / scale)};
    }
  }
  for (std::uint32_t i = 0; i < tail; ++i) {
    const std::uint16_t bits = float_to_bf16(in[coded + i]);
    std::memcpy(out + layout.tail + 2 * std::uint64_t{i}, &bits, 2);
  }
}

void decode_kv(std::uint32_t tail, const std::byte* in, std::uint32_t width, float* out) noexcept {
  const sdk::RowLayout layout = sdk::kv_row_layout(width, tail);
  const std::uint32_t coded = width - tail;
  for (std::uint32_t begin = 0, b = 0; begin < coded; begin += 64, ++b) {
    const std::uint32_t n = std::min(64u, coded - begin);
    const float scale = e8m0_to_float(byte_at(in + layout.scales + b));
    for (std::uint32_t i = 0; i < n; ++i) {
      out[begin + i] = kE4m3[byte_at(in + begin + i)] * scale;
    }
  }
  for (std::uint32_t i = 0; i < tail; ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, in + layout.tail + 2 * std::uint64_t{i}, 2);
    out[coded + i] = bf16_to_float(bits);
  }
}

void encode_index(const float* in, std::uint32_t width, std::byte* out) noexcept {
  const sdk::RowLayout layout = sdk::index_row_layout(width);
  std::memset(out, 0, layout.bytes);
  for (std::uint32_t begin = 0, b = 0; begin < width; begin += 32, ++b) {
    const std::uint32_t n = std::min(32u, width - begin);
    const std::uint8_t code = fp4_scale(in + begin, n);
    const float scale = e8m0_to_float(code);
    out[layout.scales + b] = std::byte{code};
    for (std::uint32_t i = begin; i < begin + n; ++i) {
      const std::uint32_t nibble = float_to_e2m1(in[i] / scale);
      out[i / 2] |= std::byte{static_cast<std::uint8_t>(nibble << (4 * (i & 1u)))};
    }
  }
}

void decode_index(const std::byte* in, std::uint32_t width, float* out) noexcept {
  const sdk::RowLayout layout = sdk::index_row_layout(width);
  for (std::uint32_t i = 0; i < width; ++i) {
    const float scale = e8m0_to_float(byte_at(in + layout.scales + i / 32));
    const auto nibble = static_cast<std::uint8_t>((byte_at(in + i / 2) >> (4 * (i & 1u))) & 15u);
    out[i] = e2m1_to_float(nibble) * scale;
  }
}

}  // namespace

void hadamard(float* row, std::uint32_t width) noexcept {
  double wide[kHadamardMost];
  std::copy_n(row, width, wide);
  for (std::uint32_t stride = 1; stride < width; stride *= 2) {
    for (std::uint32_t pairs = 0; pairs < width; pairs += 2 * stride) {
      double* first = wide + pairs;
      double* second = first + stride;
      for (std::uint32_t i = 0; i < stride; ++i) {
        const double a = first[i];
        const double b = second[i];
        first[i] = a + b;
        second[i] = a - b;
      }
    }
  }
  const double scale = 1 / std::sqrt(static_cast<double>(width));
  for (std::uint32_t i = 0; i < width; ++i) row[i] = static_cast<float>(wide[i] * scale);
}

void round_row(const ds4_rounding& rounding, float* row, std::uint32_t width) noexcept {
  if ((rounding.flags & DS4_ROUNDING_HADAMARD) != 0) hadamard(row, width);
  const std::uint32_t coded = width - rounding.tail;
  if (rounding.format != DS4_ROUND_NONE) {
    for (std::uint32_t begin = 0; begin < coded; begin += std::min(rounding.block, coded - begin)) {
      const std::uint32_t n = std::min(rounding.block, coded - begin);
      if (rounding.format == DS4_ROUND_FP8_E4M3) {
        fp8_round(row + begin, n);
      } else {
        fp4_round(row + begin, n);
      }
    }
  }
  if ((rounding.flags & DS4_ROUNDING_TAIL_BF16) != 0) {
    for (std::uint32_t i = coded; i < width; ++i) row[i] = bf16_to_float(float_to_bf16(row[i]));
  }
}

void encode_row(std::uint32_t dtype, std::uint32_t tail, const float* in, std::uint32_t width,
                std::byte* out) noexcept {
  switch (dtype) {
    case DS4_DTYPE_KV_ROW:
      return encode_kv(tail, in, width, out);
    case DS4_DTYPE_INDEX_ROW:
      return encode_index(in, width, out);
    case DS4_DTYPE_F16:
    case DS4_DTYPE_BF16:
      for (std::uint32_t i = 0; i < width; ++i) {
        const std::uint16_t bits =
            dtype == DS4_DTYPE_F16 ? float_to_half(in[i]) : float_to_bf16(in[i]);
        std::memcpy(out + 2 * std::uint64_t{i}, &bits, 2);
      }
      return;
    default:
      std::memcpy(out, in, std::uint64_t{width} * 4);
      return;
  }
}

void decode_row(std::uint32_t dtype, std::uint32_t tail, const std::byte* in, std::uint32_t width,
                float* out) noexcept {
  switch (dtype) {
    case DS4_DTYPE_KV_ROW:
      return decode_kv(tail, in, width, out);
    case DS4_DTYPE_INDEX_ROW:
      return decode_index(in, width, out);
    case DS4_DTYPE_F16:
    case DS4_DTYPE_BF16:
      for (std::uint32_t i = 0; i < width; ++i) {
        std::uint16_t bits;
        std::memcpy(&bits, in + 2 * std::uint64_t{i}, 2);
        out[i] = dtype == DS4_DTYPE_F16 ? half_to_float(bits) : bf16_to_float(bits);
      }
      return;
    default:
      std::memcpy(out, in, std::uint64_t{width} * 4);
      return;
  }
}

}  // namespace ds4::cpu
