/// Weight rows as f32, decoded by this backend's own reading of the block formats (model.md 7).
#pragma once

#include <cstdint>

#include "objects.hpp"

namespace ds4::cpu {

/// True for formats that dequantise() reads.
bool is_float_weight(std::uint32_t dtype) noexcept;

/// Decodes `values` (whole blocks) of `dtype` from `source`, any alignment.
void dequantise(std::uint32_t dtype, const std::byte* source, std::uint64_t values,
                float* out) noexcept;

/// Row r of a weight, whatever its layout, as f32 into `out` (width() values).
void decode_weight_row(const ds4_weight& weight, std::uint64_t r, float* out) noexcept;

/// Row r of a weight as f32: into `buffer` (width() values), or in place for aligned F32.
const float* weight_row(const ds4_weight& weight, std::uint64_t r, float* buffer) noexcept;

}  // namespace ds4::cpu
