#include "ops/views.hpp"

#include "base/checked.hpp"

namespace ds4 {
namespace {

// Rows of encoded dtypes begin at multiples of this (backend.h, element types).
constexpr std::uint64_t kEncodedRowAlign = 4;
constexpr std::uint64_t kKvBlock = 64;
constexpr std::uint64_t kIndexBlock = 32;
constexpr std::uint64_t kBf16Bytes = 2;

}  // namespace

std::uint32_t element_bytes(std::uint32_t dtype) noexcept {
  switch (dtype) {
    case DS4_DTYPE_F32:
    case DS4_DTYPE_I32:
      return 4;
    case DS4_DTYPE_F16:
    case DS4_DTYPE_BF16:
      return 2;
    default:
      return 0;
  }
}

bool is_row_dtype(std::uint32_t dtype) noexcept {
  return dtype == DS4_DTYPE_KV_ROW || dtype == DS4_DTYPE_INDEX_ROW;
}

std::optional<std::uint64_t> view_row_bytes(std::uint32_t dtype, std::uint32_t width,
                                            std::uint32_t row_tail) noexcept {
  if (dtype == DS4_DTYPE_KV_ROW) {
    if (row_tail > width) return std::nullopt;
    const std::uint64_t head = width - row_tail;
    const std::uint64_t tail_at = round_up(head + ceil_div(head, kKvBlock), kEncodedRowAlign);
    return round_up(tail_at + kBf16Bytes * row_tail, kEncodedRowAlign);
  }
  if (dtype == DS4_DTYPE_INDEX_ROW) {
    return round_up(ceil_div(width, 2) + ceil_div(width, kIndexBlock), kEncodedRowAlign);
  }
  const std::uint64_t bytes = element_bytes(dtype);
  if (bytes == 0) return std::nullopt;
  return bytes * width;
}

void set_contiguous_strides(ds4_view& view) noexcept {
  const std::uint32_t last = view.rank - 1;
  const std::uint64_t row =
      view_row_bytes(view.dtype, view.extent[last], view.row_tail).value_or(0);
  view.stride[last] = is_row_dtype(view.dtype) ? row : element_bytes(view.dtype);
  std::uint64_t stride = row;
  for (std::uint32_t axis = last; axis-- > 0;) {
    view.stride[axis] = stride;
    stride *= view.extent[axis];
  }
}

ds4_view make_view(ds4_buffer* buffer, std::uint64_t offset, std::uint32_t dtype,
                   std::initializer_list<std::uint32_t> extents, std::uint32_t row_tail) noexcept {
  ds4_view view{};
  view.buffer = buffer;
  view.offset = offset;
  view.dtype = dtype;
  view.row_tail = row_tail;
  for (const std::uint32_t extent : extents) {
    if (view.rank < 4) view.extent[view.rank++] = extent;
  }
  if (view.rank != 0) set_contiguous_strides(view);
  return view;
}

std::uint64_t view_span_bytes(const ds4_view& view) noexcept {
  if (view.rank == 0) return 0;
  const std::uint32_t last = view.rank - 1;
  std::optional<std::uint64_t> span = view_row_bytes(view.dtype, view.extent[last], view.row_tail);
  for (std::uint32_t axis = 0; axis < view.rank; ++axis) {
    if (view.extent[axis] == 0) return 0;
    if (axis == last) break;
    const auto reach = checked_mul(view.extent[axis] - 1, view.stride[axis]);
    span = span && reach ? checked_add(*span, *reach) : std::nullopt;
  }
  return span.value_or(~std::uint64_t{0});
}

std::uint32_t view_width(const ds4_view& view) noexcept {
  return view.rank == 0 ? 0 : view.extent[view.rank - 1];
}

ds4_view column_view(const ds4_view& view, std::uint32_t begin, std::uint32_t count) noexcept {
  ds4_view columns = view;
  columns.offset += std::uint64_t{begin} * element_bytes(view.dtype);
  columns.extent[view.rank - 1] = count;
  return columns;
}

ds4_view stream_view(const ds4_view& view, std::uint32_t stream) noexcept {
  ds4_view rows = view;
  rows.rank = 2;
  rows.offset += stream * view.stride[1];
  rows.extent[1] = view.extent[2];
  rows.stride[1] = view.stride[2];
  rows.extent[2] = 0;
  rows.stride[2] = 0;
  return rows;
}

ds4_view as_one_stream(const ds4_view& view) noexcept {
  ds4_view streams = view;
  streams.rank = 3;
  streams.extent[2] = view.extent[1];
  streams.stride[2] = view.stride[1];
  streams.extent[1] = 1;
  streams.stride[1] = view.stride[0];
  return streams;
}

ds4_view as_scalars(const ds4_view& view) noexcept {
  ds4_view scalars = view;
  scalars.rank = view.rank + 1;
  scalars.extent[view.rank] = 1;
  scalars.stride[view.rank] = element_bytes(view.dtype);
  return scalars;
}

std::optional<ds4_view> flatten_rows(const ds4_view& view) noexcept {
  if (view.rank < 2 || element_bytes(view.dtype) == 0) return std::nullopt;
  std::uint64_t values = view.extent[view.rank - 1];
  for (std::uint32_t axis = view.rank - 1; axis-- > 1;) {
    if (view.extent[axis] > 1 && view.stride[axis] != values * element_bytes(view.dtype)) {
      return std::nullopt;
    }
    values *= view.extent[axis];
    if (values > ~std::uint32_t{0}) return std::nullopt;
  }
  ds4_view flat = view;
  flat.rank = 2;
  flat.extent[1] = static_cast<std::uint32_t>(values);
  flat.stride[1] = element_bytes(view.dtype);
  for (std::uint32_t axis = 2; axis < 4; ++axis) {
    flat.extent[axis] = 0;
    flat.stride[axis] = 0;
  }
  return flat;
}

std::optional<ds4_view> split_rows(const ds4_view& view, std::uint32_t parts) noexcept {
  if (view.rank != 2 || element_bytes(view.dtype) == 0) return std::nullopt;
  if (parts == 0 || view.extent[1] % parts != 0) return std::nullopt;
  ds4_view split = view;
  split.rank = 3;
  split.extent[1] = parts;
  split.extent[2] = view.extent[1] / parts;
  split.stride[1] = std::uint64_t{split.extent[2]} * element_bytes(view.dtype);
  split.stride[2] = element_bytes(view.dtype);
  return split;
}

ds4_range range_all(std::uint32_t max) noexcept {
  return {max, DS4_SLOT_NONE, 0, DS4_SLOT_NONE};
}

ds4_range range_counted(std::uint32_t max, std::uint32_t count_slot) noexcept {
  return {max, count_slot, 0, DS4_SLOT_NONE};
}

ds4_range range_prefill(std::uint32_t max) noexcept {
  return {max, DS4_STEP_PREFILL_ROWS, 0, DS4_STEP_DECODE_ROWS};
}

}  // namespace ds4
