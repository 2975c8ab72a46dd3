// F32, F16 and BF16: one element per block.
#include "format/quants/codec.hpp"

namespace ds4::quants {

void decode_f32(const std::byte* in, float* out, std::size_t n) noexcept {
  if (n != 0) std::memcpy(out, in, n * sizeof(float));
}

void decode_f16(const std::byte* in, float* out, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) out[i] = load_half(in + 2 * i);
}

void decode_bf16(const std::byte* in, float* out, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) out[i] = bfloat_to_float(load_u16(in + 2 * i));
}

void encode_f32(const float* in, std::byte* out, std::size_t n) noexcept {
  if (n != 0) std::memcpy(out, in, n * sizeof(float));
}

void encode_f16(const float* in, std::byte* out, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) store_u16(out + 2 * i, float_to_half(in[i]));
}

void encode_bf16(const float* in, std::byte* out, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) store_u16(out + 2 * i, float_to_bfloat(in[i]));
}

}  // namespace ds4::quants
