/// One packed tile of sixteen weight rows against a few vectors: a function per format.
///
/// out[16 * c + i] = row i . vector c. The sum over a row's blocks is f32, ascending, and each
/// block's own sum is exact, so the number of columns taken at once changes no bit.
#pragma once

#include <cstdint>

#include "quantise.hpp"

namespace ds4::fast {

/// `values` of a row; `count` columns, 1 .. kRegisterColumns.
void q8_0_tile(const std::byte* tile, std::uint32_t values, const QuantisedVector* columns,
               std::uint32_t count, float* out) noexcept;
void q2_k_tile(const std::byte* tile, std::uint32_t values, const QuantisedVector* columns,
               std::uint32_t count, float* out) noexcept;
void iq2_xxs_tile(const std::byte* tile, std::uint32_t values, const QuantisedVector* columns,
                  std::uint32_t count, float* out) noexcept;
void f16_tile(const std::byte* tile, std::uint32_t values, const float* const* columns,
              std::uint32_t count, float* out) noexcept;

/// How far ahead of the bytes at hand a tile kernel asks for the next ones: what the hardware's own
/// prefetch does not reach over the short runs of a kernel that computes much between loads.
inline constexpr std::uint64_t kPrefetchBytes = 8192;

/// Calls body.template operator()<N>() with N = count, for a count of 1 .. Most.
template <std::uint32_t Most, class Body>
inline void with_count(std::uint32_t count, Body&& body) noexcept {
  if constexpr (Most > 1) {
    if (count < Most) return with_count<Most - 1>(count, body);
  }
  body.template operator()<Most>();
}

}  // namespace ds4::fast
