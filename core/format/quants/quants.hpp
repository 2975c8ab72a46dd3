#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.hpp"
#include "format/dtype.hpp"

namespace ds4 {

/// Decodes `n` consecutive elements of one row, exactly as the format defines them.
///
/// in   src   row_bytes(dtype, n) bytes, blocks in order, no alignment needed
/// out  dst   n floats
/// Rounding   products in float, in the order written in each codec; F16, BF16, Q8_0, Q4_0 and
/// MXFP4
///            are exact up to one rounding.
/// Errors     unsupported for a type without a decoder (I32 too); invalid_argument when n is not a
///            multiple of the block.
Result<void> dequantize_row(Dtype dtype, const std::byte* src, float* dst, std::size_t n);

/// Encodes `n` elements by round-to-nearest within each block (IQ2_XXS by a search over the grid
/// with even sign parity; about 1 MB/s). Deterministic: equal input gives equal bytes.
///
/// in   src   n finite floats
/// out  dst   row_bytes(dtype, n) bytes
/// in   importance  empty, or n non-negative column weights that the error is weighted with; used
/// by
///            the formats that search (Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ2_XXS), ignored by the
///            others
/// Errors     as dequantize_row; invalid_argument for a value that is not finite.
Result<void> quantize_row(Dtype dtype, const float* src, std::byte* dst, std::size_t n,
                          std::span<const float> importance = {});

/// The 256 grid points of IQ2_XXS; byte j of an entry is coordinate j (8, 25 or 43).
[[nodiscard]] std::span<const std::uint64_t, 256> iq2_xxs_grid() noexcept;

}  // namespace ds4
