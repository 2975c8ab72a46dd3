#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "format/half.hpp"

/// The codecs behind quants.hpp: one pair of functions per block format. A decoder reads one block
/// and writes its elements; an encoder does the reverse, with one weight per element (null: all 1).
namespace ds4::quants {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

inline constexpr std::size_t kSmallBlock = 32;   // Q8_0, Q4_0, MXFP4
inline constexpr std::size_t kSuperBlock = 256;  // K and IQ formats

void decode_q8_0(const std::byte* block, float* out) noexcept;
void decode_q4_0(const std::byte* block, float* out) noexcept;
void decode_q2_k(const std::byte* block, float* out) noexcept;
void decode_q3_k(const std::byte* block, float* out) noexcept;
void decode_q4_k(const std::byte* block, float* out) noexcept;
void decode_q5_k(const std::byte* block, float* out) noexcept;
void decode_q6_k(const std::byte* block, float* out) noexcept;
void decode_iq2_xxs(const std::byte* block, float* out) noexcept;
void decode_mxfp4(const std::byte* block, float* out) noexcept;

void encode_q8_0(const float* in, const float* weights, std::byte* block) noexcept;
void encode_q4_0(const float* in, const float* weights, std::byte* block) noexcept;
void encode_q2_k(const float* in, const float* weights, std::byte* block) noexcept;
void encode_q3_k(const float* in, const float* weights, std::byte* block) noexcept;
void encode_q4_k(const float* in, const float* weights, std::byte* block) noexcept;
void encode_q5_k(const float* in, const float* weights, std::byte* block) noexcept;
void encode_q6_k(const float* in, const float* weights, std::byte* block) noexcept;
void encode_iq2_xxs(const float* in, const float* weights, std::byte* block) noexcept;
void encode_mxfp4(const float* in, const float* weights, std::byte* block) noexcept;

// Rows of plain types.
void decode_f32(const std::byte* in, float* out, std::size_t n) noexcept;
void decode_f16(const std::byte* in, float* out, std::size_t n) noexcept;
void decode_bf16(const std::byte* in, float* out, std::size_t n) noexcept;
void encode_f32(const float* in, std::byte* out, std::size_t n) noexcept;
void encode_f16(const float* in, std::byte* out, std::size_t n) noexcept;
void encode_bf16(const float* in, std::byte* out, std::size_t n) noexcept;

[[nodiscard]] inline unsigned load_u8(const std::byte* p) noexcept {
  return std::to_integer<unsigned>(*p);
}
[[nodiscard]] inline std::uint16_t load_u16(const std::byte* p) noexcept {
  std::uint16_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}
[[nodiscard]] inline std::uint32_t load_u32(const std::byte* p) noexcept {
  std::uint32_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}
inline void store_u16(std::byte* p, std::uint16_t value) noexcept {
  std::memcpy(p, &value, sizeof value);
}
inline void store_u32(std::byte* p, std::uint32_t value) noexcept {
  std::memcpy(p, &value, sizeof value);
}
[[nodiscard]] inline float load_half(const std::byte* p) noexcept {
  return half_to_float(load_u16(p));
}

/// Stores a scale as half and gives the value that a decoder will read back. A scale beyond the
/// largest half is held there, so that a block never decodes to infinities.
inline float store_scale(std::byte* p, double scale) noexcept {
  constexpr double kLargestHalf = 65504.0;
  const double held = scale > kLargestHalf    ? kLargestHalf
                      : scale < -kLargestHalf ? -kLargestHalf
                                              : scale;
  const std::uint16_t bits = float_to_half(static_cast<float>(held));
  store_u16(p, bits);
  return half_to_float(bits);
}

}  // namespace ds4::quants
