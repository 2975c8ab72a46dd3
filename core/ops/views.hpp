#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>

#include "ds4/ops.h"

namespace ds4 {

/// Bytes of one value of a view's dtype: F32, F16, BF16, I32; 0 for every other, whose values have
/// no whole size.
[[nodiscard]] std::uint32_t element_bytes(std::uint32_t dtype) noexcept;

/// True for KV_ROW and INDEX_ROW: the innermost extent is one encoded unit.
[[nodiscard]] bool is_row_dtype(std::uint32_t dtype) noexcept;

/// Bytes of `width` values side by side: plain values, a KV row with `row_tail` bf16 values, or an
/// index row (backend.h). Nothing for other dtypes and for a tail longer than the row.
[[nodiscard]] std::optional<std::uint64_t> view_row_bytes(std::uint32_t dtype, std::uint32_t width,
                                                          std::uint32_t row_tail = 0) noexcept;

/// Sets the strides of a row-contiguous view from its dtype, rank, extents and row_tail. The rows
/// of a row dtype lie one after the other.
void set_contiguous_strides(ds4_view& view) noexcept;

/// A row-contiguous view at `offset` bytes; 1 to 4 extents, outermost first.
[[nodiscard]] ds4_view make_view(ds4_buffer* buffer, std::uint64_t offset, std::uint32_t dtype,
                                 std::initializer_list<std::uint32_t> extents,
                                 std::uint32_t row_tail = 0) noexcept;

/// Bytes from the first to one past the last value of a view; 0 when an extent is 0. Saturates at
/// 2^64 - 1.
[[nodiscard]] std::uint64_t view_span_bytes(const ds4_view& view) noexcept;

/// The innermost extent: values of one vector.
[[nodiscard]] std::uint32_t view_width(const ds4_view& view) noexcept;

/// Columns begin .. begin + count - 1 of each vector; plain dtypes only.
[[nodiscard]] ds4_view column_view(const ds4_view& view, std::uint32_t begin,
                                   std::uint32_t count) noexcept;

/// [rows, k, width] seen as the [rows, width] of one `k`.
[[nodiscard]] ds4_view stream_view(const ds4_view& view, std::uint32_t stream) noexcept;

/// [rows, width] seen as [rows, 1, width].
[[nodiscard]] ds4_view as_one_stream(const ds4_view& view) noexcept;

/// [rows, width] or [rows] seen as [rows, width, 1]: one value a vector.
[[nodiscard]] ds4_view as_scalars(const ds4_view& view) noexcept;

/// [rows, a, b, ...] seen as [rows, a * b * ...]; nothing when the values of a row do not lie side
/// by side, or for a row dtype.
[[nodiscard]] std::optional<ds4_view> flatten_rows(const ds4_view& view) noexcept;

/// [rows, a * b] seen as [rows, a, b] with a = parts; nothing when `parts` does not divide the
/// width, for another rank, or for a row dtype.
[[nodiscard]] std::optional<ds4_view> split_rows(const ds4_view& view,
                                                 std::uint32_t parts) noexcept;

/// Rows 0 .. max - 1, whatever the step holds.
[[nodiscard]] ds4_range range_all(std::uint32_t max) noexcept;

/// The first step[count_slot] rows, at most `max`.
[[nodiscard]] ds4_range range_counted(std::uint32_t max, std::uint32_t count_slot) noexcept;

/// The prefill segment of a step: it begins behind the decode rows.
[[nodiscard]] ds4_range range_prefill(std::uint32_t max) noexcept;

/// A zero-filled descriptor with its id and size set.
template <class Op>
[[nodiscard]] Op make_op(std::uint32_t id) noexcept {
  Op op{};
  op.op.struct_size = sizeof(Op);
  op.op.id = id;
  return op;
}

}  // namespace ds4
