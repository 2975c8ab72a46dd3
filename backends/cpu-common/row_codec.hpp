/// Stored rows: rounding as the model does it, and encoding to and from every row dtype.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ds4/backend_sdk.hpp"

namespace ds4::cpu {

/// Applies ds4_rounding to one finished row in place. `width` is a power of two with HADAMARD.
void round_row(const ds4_rounding& rounding, float* row, std::uint32_t width) noexcept;

/// Widest row that the Hadamard transform takes: it is carried in doubles on the stack.
inline constexpr std::uint32_t kHadamardMost = 4096;

/// y = H x / sqrt(width), natural order; in double, rounded to f32 once.
void hadamard(float* row, std::uint32_t width) noexcept;

/// Writes `width` values as one row of `dtype` (F32, F16, BF16, KV_ROW, INDEX_ROW).
void encode_row(std::uint32_t dtype, std::uint32_t tail, const float* in, std::uint32_t width,
                std::byte* out) noexcept;

/// The inverse.
void decode_row(std::uint32_t dtype, std::uint32_t tail, const std::byte* in, std::uint32_t width,
                float* out) noexcept;

}  // namespace ds4::cpu
