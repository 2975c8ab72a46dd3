#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.hpp"
#include "quantize/checkpoint.hpp"

namespace ds4::quantize {

/// A tensor of a checkpoint seen as rows of numbers, whatever it is stored in.
///
/// F32, F16 and BF16 are taken as they are; FP8 e4m3 is multiplied by the e8m0 scale of its
/// 128 x 128 block, FP4 by that of its 32 columns. All of these are exact in float except where a
/// product falls below the smallest normal number.
class SourceMatrix {
 public:
  /// Binds `name` and, for FP8 and FP4, the `.scale` beside its `.weight`.
  /// Errors: not_found for a missing tensor or scale; bad_file for a shape other than
  /// [rows, columns] (one row: [columns] too) and for scales of another shape.
  static Result<SourceMatrix> bind(const Checkpoint& checkpoint, std::string_view name,
                                   std::uint64_t rows, std::uint64_t columns);

  [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::uint64_t columns() const noexcept { return columns_; }
  [[nodiscard]] bool is_fp4() const noexcept { return values_->type == SourceType::i8; }

  /// Decodes one row into `out` (columns() floats).
  /// Errors: bad_file for a NaN code or scale; unsupported for integer tensors.
  [[nodiscard]] Result<void> read_row(std::uint64_t row, float* out) const;

  /// FP4 only: the row as MXFP4 blocks (17 bytes per 32 columns), codes and scales unchanged.
  /// Errors: bad_file for a NaN scale.
  [[nodiscard]] Result<void> read_row_mxfp4(std::uint64_t row, std::byte* out) const;

  /// I64 and I32 only: one row of integers that fit 32 bits.
  /// Errors: bad_file for a value outside, unsupported for other types.
  [[nodiscard]] Result<void> read_row_i32(std::uint64_t row, std::int32_t* out) const;

 private:
  SourceMatrix() = default;
  Result<void> check_shape() const;
  Result<void> bind_scale(const Checkpoint& checkpoint);
  [[nodiscard]] Result<float> scale(std::uint64_t row, std::uint64_t column_block) const;

  const SourceTensor* values_ = nullptr;
  const SourceTensor* scales_ = nullptr;
  std::uint64_t rows_ = 0;
  std::uint64_t columns_ = 0;
};

}  // namespace ds4::quantize
