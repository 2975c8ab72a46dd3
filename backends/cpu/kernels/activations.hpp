/// The vectors that a product takes from the left: rows of a view, or vectors within its rows.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu-common/context.hpp"

namespace ds4::fast {

/// Vector i is vector i % middle of row first + i / middle.
struct Activations {
  const std::byte* base = nullptr;
  std::uint64_t row_stride = 0;     ///< bytes
  std::uint64_t vector_stride = 0;  ///< bytes
  std::uint32_t middle = 1;
  std::uint32_t count = 0;
  std::uint32_t width = 0;

  [[nodiscard]] const float* vector(std::uint32_t i) const noexcept {
    if (middle == 1) return reinterpret_cast<const float*>(base + i * row_stride);
    return reinterpret_cast<const float*>(base + (i / middle) * row_stride +
                                          (i % middle) * vector_stride);
  }
};

/// The rows of a range, one vector each, `width` values from `offset` on.
inline Activations activations_of(const cpu::Bytes& x, const sdk::RowRange& rows,
                                  std::uint32_t width) noexcept {
  return {x.row(rows.first), x.stride0, 0, 1, rows.count, width};
}

/// The rows of a range cut into `parts` vectors of `width` values that follow one another.
inline Activations parts_of(const cpu::Bytes& x, const sdk::RowRange& rows, std::uint32_t parts,
                            std::uint32_t width) noexcept {
  return {x.row(rows.first), x.stride0, std::uint64_t{width} * 4, parts, rows.count * parts, width};
}

/// `count` contiguous vectors in scratch.
inline Activations contiguous(const float* values, std::uint32_t count,
                              std::uint32_t width) noexcept {
  return {reinterpret_cast<const std::byte*>(values), std::uint64_t{width} * 4, 0, 1, count, width};
}

}  // namespace ds4::fast
