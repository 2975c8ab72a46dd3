#include "kv/kv_layout.hpp"

#include <algorithm>
#include <limits>
#include <string_view>

#include "base/checked.hpp"
#include "ops/views.hpp"

namespace ds4 {
namespace {

constexpr std::uint64_t kAlignment = 256;

/// A [a, b, width] view whose rows are `row_bytes` apart and whose outer steps are `outer_bytes`
/// apart.
ds4_view rows_view(ds4_buffer* buffer, std::uint64_t offset, std::uint32_t dtype,
                   std::uint32_t outer, std::uint64_t outer_bytes, std::uint32_t rows,
                   std::uint32_t width, std::uint32_t tail) {
  ds4_view view{};
  view.buffer = buffer;
  view.offset = offset;
  view.dtype = dtype;
  view.rank = 3;
  view.extent[0] = outer;
  view.extent[1] = rows;
  view.extent[2] = width;
  view.row_tail = dtype == DS4_DTYPE_KV_ROW ? tail : 0;
  view.stride[0] = outer_bytes;
  view.stride[1] = *view_row_bytes(dtype, width, view.row_tail);
  view.stride[2] = element_bytes(dtype);
  return view;
}

ds4_view pool_view(ds4_buffer* buffer, std::uint64_t offset, std::uint32_t dtype,
                   std::uint32_t rows, std::uint32_t width, std::uint32_t tail) {
  ds4_view view = rows_view(buffer, offset, dtype, 1, 0, rows, width, tail);
  view.rank = 2;
  for (int i = 0; i < 2; ++i) {
    view.extent[i] = view.extent[i + 1];
    view.stride[i] = view.stride[i + 1];
  }
  view.extent[2] = 0;
  view.stride[2] = 0;
  return view;
}

std::uint32_t pair_width(std::uint32_t ratio, std::uint32_t dim) {
  return 2 * compress_factor(ratio) * dim;
}

}  // namespace

Result<KvLayout> KvLayout::make(const ModelConfig& config, const Roundings& roundings,
                                const KvLimits& limits, const std::vector<bool>& on_device) {
  KvLayout layout;
  layout.limits = limits;
  layout.roundings = roundings;
  layout.ring_capacity = config.window + kRewindRows;

  const auto check_ring = [&limits](std::uint64_t capacity, std::string_view what) -> Result<void> {
    if (capacity * limits.slots <= std::numeric_limits<std::int32_t>::max()) return {};
    return fail(Errc::invalid_argument, limits.slots, " sessions need rings of ",
                capacity * limits.slots, " ", what,
                ", more than an index can name; lower --sessions");
  };
  DS4_CHECK(check_ring(std::uint64_t{config.window} + kRewindRows, "window rows"));
  for (const RatioClass& ratio : ratio_classes(config)) {
    DS4_CHECK(check_ring(ratio.pair_capacity, "pairs"));
    Class entry;
    entry.ratio = ratio;
    entry.session_pages =
        static_cast<std::uint32_t>(ceil_div(limits.context / ratio.ratio, kPageRows));
    const std::uint64_t wanted =
        ceil_div(std::uint64_t{entry.session_pages} * limits.slots * limits.pages_percent, 100) +
        (entry.session_pages > 0 ? limits.restore_points : 0);
    if (wanted * kPageRows > std::numeric_limits<std::int32_t>::max()) {
      return fail(Errc::invalid_argument, limits.slots, " sessions of ", limits.context,
                  " tokens need ", wanted * kPageRows,
                  " compressed rows, more than an index can name; lower --ctx or --sessions");
    }
    entry.pages = static_cast<std::uint32_t>(wanted);
    layout.classes.push_back(entry);
  }

  // A hostile header names rows and widths whose product is past any memory.
  constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 62;
  std::uint64_t offset = 0;
  bool fits = true;
  const auto take = [&offset, &fits](std::uint64_t rows, std::uint64_t row_bytes) {
    const std::uint64_t place = offset;
    const auto bytes = checked_mul(rows, row_bytes);
    fits = fits && bytes && *bytes < kMostBytes - offset;
    if (fits) offset = round_up(offset + *bytes, kAlignment);
    return place;
  };
  const std::uint64_t kv_row =
      *view_row_bytes(roundings.kv_dtype(), config.head_dim,
                      roundings.kv_dtype() == DS4_DTYPE_KV_ROW ? config.rot_dim : 0);
  const std::uint64_t index_row = *view_row_bytes(roundings.index_dtype(), config.index_dim);
  for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
    if (!on_device.empty() && !on_device[layer]) {
      layout.places_.emplace_back();
      continue;
    }
    const std::uint32_t ratio = config.ratio(layer);
    LayerStorage place;
    place.ratio = ratio;
    place.ring = {take(layout.ring_capacity, kv_row), kv_row, layout.ring_capacity};
    if (ratio != 0) {
      std::vector<RatioClass> known;
      for (const Class& entry : layout.classes) known.push_back(entry.ratio);
      place.ratio_class = class_of(known, ratio);
      Class& entry = layout.classes[place.ratio_class];
      const std::uint32_t capacity = entry.ratio.pair_capacity;
      const std::uint32_t rows = entry.pages * kPageRows;
      const auto pairs = [&take, ratio, capacity](std::uint32_t dim) -> RowPlace {
        const std::uint64_t bytes = pair_width(ratio, dim) * sizeof(float);
        return {take(capacity, bytes), bytes, capacity};
      };
      place.pairs = pairs(config.head_dim);
      // Row bytes are multiples of 4, so a page of 64 rows keeps every part aligned to 256.
      place.pool = {entry.bytes_per_page * entry.pages, kv_row, rows};
      entry.bytes_per_page += kPageRows * kv_row;
      if (config.kind(layer) == LayerKind::sparse) {
        place.index_pairs = pairs(config.index_dim);
        place.index_pool = {place.pool.offset + std::uint64_t{rows} * kv_row, index_row, rows};
        entry.bytes_per_page += kPageRows * index_row;
      }
    }
    layout.places_.push_back(place);
  }
  layout.slot_bytes = offset;
  fits = fits && offset < kMostBytes / std::max({limits.slots, limits.restore_points, 1U});
  for (const Class& entry : layout.classes) {
    fits = fits && entry.bytes_per_page < kMostBytes / std::max(entry.pages, 1U);
  }
  if (!fits) {
    return fail(Errc::invalid_argument, "rings and pages of ", limits.slots, " sessions of ",
                limits.context, " tokens need more bytes than can be counted: window ",
                config.window, ", head width ", config.head_dim);
  }
  return layout;
}

std::uint64_t KvLayout::pool_bytes(std::size_t ratio_class) const noexcept {
  return classes[ratio_class].bytes_per_page * classes[ratio_class].pages;
}

std::uint64_t KvLayout::restore_point_bytes() const noexcept {
  std::uint64_t bytes = slot_bytes;
  for (const Class& entry : classes) {
    if (entry.session_pages > 0) bytes += entry.bytes_per_page;
  }
  return bytes;
}

std::vector<LayerKv> KvLayout::views(const ModelConfig& config, ds4_buffer* rings,
                                     const std::vector<ds4_buffer*>& pools) const {
  std::vector<RatioClass> known;
  for (const Class& entry : classes) known.push_back(entry.ratio);
  const std::uint32_t kv = roundings.kv_dtype();
  const std::uint32_t index = roundings.index_dtype();
  std::vector<LayerKv> out(config.layers);
  for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
    const LayerStorage& place = places_[layer];
    if (place.ring.row_bytes == 0) continue;
    const std::uint32_t ratio = place.ratio;
    LayerKv& kv_views = out[layer];
    kv_views.ring = rows_view(rings, place.ring.offset, kv, limits.slots, slot_bytes, ring_capacity,
                              config.head_dim, config.rot_dim);
    if (ratio == 0) continue;
    const std::size_t c = class_of(known, ratio);
    const std::uint32_t rows = classes[c].pages * kPageRows;
    const std::uint32_t capacity = classes[c].ratio.pair_capacity;
    kv_views.pairs = rows_view(rings, place.pairs.offset, DS4_DTYPE_F32, limits.slots, slot_bytes,
                               capacity, pair_width(ratio, config.head_dim), 0);
    kv_views.pool =
        pool_view(pools[c], place.pool.offset, kv, rows, config.head_dim, config.rot_dim);
    if (config.kind(layer) != LayerKind::sparse) continue;
    kv_views.index_pairs = rows_view(rings, place.index_pairs.offset, DS4_DTYPE_F32, limits.slots,
                                     slot_bytes, capacity, pair_width(ratio, config.index_dim), 0);
    kv_views.index_pool =
        pool_view(pools[c], place.index_pool.offset, index, rows, config.index_dim, 0);
  }
  return out;
}

ds4_view KvLayout::page_table(std::size_t ratio_class, ds4_buffer* table) const {
  const std::uint32_t pages = std::max(classes[ratio_class].session_pages, 1U);
  return make_view(table, 0, DS4_DTYPE_I32, {limits.slots, pages});
}

}  // namespace ds4
