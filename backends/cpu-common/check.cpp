#include "check.hpp"

#include <algorithm>
#include <cmath>

#include "dequant.hpp"
#include "row_codec.hpp"

namespace ds4::cpu {
namespace {

DtypeSet set_of(std::uint32_t dtype) noexcept {
  switch (dtype) {
    case DS4_DTYPE_F32:
      return kF32;
    case DS4_DTYPE_I32:
      return kI32;
    case DS4_DTYPE_F16:
      return kF16;
    case DS4_DTYPE_BF16:
      return kBf16;
    case DS4_DTYPE_KV_ROW:
      return kKvRow;
    case DS4_DTYPE_INDEX_ROW:
      return kIndexRow;
    default:
      return 0;
  }
}

/// Bytes that two views may share. Rows of equal stride that never meet (two columns of one
/// tensor) are apart although their hulls interleave.
bool share_bytes(const ds4_view& a, const ds4_view& b) noexcept {
  const std::uint64_t a_bytes = sdk::view_hull(a);
  const std::uint64_t b_bytes = sdk::view_hull(b);
  if (a_bytes == 0 || b_bytes == 0 || a.buffer != b.buffer) return false;
  if (a.offset >= b.offset + b_bytes || b.offset >= a.offset + a_bytes) return false;
  const std::uint64_t stride = a.stride[0];
  if (a.rank < 2 || b.rank < 2 || stride == 0 || stride != b.stride[0]) return true;
  const std::uint64_t a_row = a_bytes - (a.extent[0] - 1) * stride;
  const std::uint64_t b_row = b_bytes - (b.extent[0] - 1) * stride;
  const std::uint64_t a_at = a.offset % stride;
  const std::uint64_t b_at = b.offset % stride;
  if (a_at + a_row > stride || b_at + b_row > stride) return true;
  return a_at < b_at + b_row && b_at < a_at + a_row;
}

bool same_view(const ds4_view& a, const ds4_view& b) noexcept {
  if (a.buffer != b.buffer || a.offset != b.offset || a.rank != b.rank || a.dtype != b.dtype) {
    return false;
  }
  for (std::uint32_t d = 0; d < a.rank; ++d) {
    if (a.extent[d] != b.extent[d] || a.stride[d] != b.stride[d]) return false;
  }
  return true;
}

}  // namespace

void Check::view(const ds4_view& v, const char* field, DtypeSet dtypes, Use use) {
  if (asking_ == Asking::enqueue) {
    require(v.buffer != nullptr, field, " is absent");
    require(v.buffer->device == &device_, field, " lies on another device");
  }
  require(v.buffer != nullptr || v.rank != 0, field, " is absent");
  if (!sdk::known_dtype(v.dtype)) fail(DS4_E_UNSUPPORTED, field, ": unknown dtype ", v.dtype);
  require((set_of(v.dtype) & dtypes) != 0, field, ": dtype ", sdk::dtype_name(v.dtype),
          " is not taken here");
  require(v.rank >= 1 && v.rank <= 4, field, ": rank ", v.rank, " is outside 1..4");
  const std::uint32_t inner = v.rank - 1;
  if (v.dtype == DS4_DTYPE_KV_ROW) {
    require(v.row_tail <= v.extent[inner], field, ": row_tail ", v.row_tail, " exceeds width ",
            v.extent[inner]);
  }
  const std::uint32_t element = sdk::element_bytes(v.dtype);
  if (element != 0) {
    require(v.rank == 1 || v.extent[inner] <= 1 || v.stride[inner] == element, field,
            ": innermost stride ", v.stride[inner], " is not the element's size ", element);
    require(v.offset % element == 0, field, ": offset ", v.offset, " is not a multiple of ",
            element);
    for (std::uint32_t d = 0; d < v.rank; ++d) {
      require(v.stride[d] % element == 0, field, ": stride ", v.stride[d], " is not a multiple of ",
              element);
    }
  }
  if (v.buffer != nullptr) {
    require(sdk::view_fits(v, v.buffer->bytes), field, ": offset ", v.offset,
            " and its extents go beyond a buffer of ", v.buffer->bytes, " bytes");
  }
  if (seen_count_ < kMostViews) seen_[seen_count_++] = {&v, field, use};
}

void Check::extents(const ds4_view& v, const char* field, std::uint32_t from,
                    std::initializer_list<std::uint32_t> expected) {
  const auto rank = static_cast<std::uint32_t>(from + expected.size());
  require(v.rank == rank, field, ": rank ", v.rank, " where ", rank, " is needed");
  std::uint32_t d = from;
  for (const std::uint32_t extent : expected) {
    require(extent == kAny || v.extent[d] == extent, field, ": extent ", d, " is ", v.extent[d],
            " where ", extent, " is needed");
    ++d;
  }
}

void Check::covers(const ds4_view& v, const char* field) {
  if (asking_ == Asking::support) return;
  require(range_.first >= v.first_row && std::uint64_t{range_.first} + range_.count <=
                                             std::uint64_t{v.first_row} + v.extent[0],
          field, ": rows ", v.first_row, " to ", std::uint64_t{v.first_row} + v.extent[0],
          " do not cover rows ", range_.first, " to ", std::uint64_t{range_.first} + range_.count);
}

void Check::rows(const ds4_view& v, const char* field, DtypeSet dtypes,
                 std::initializer_list<std::uint32_t> behind, Use use) {
  view(v, field, dtypes, use);
  extents(v, field, 1, behind);
  covers(v, field);
}

void Check::table(const ds4_view& v, const char* field, DtypeSet dtypes,
                  std::initializer_list<std::uint32_t> all, Use use) {
  view(v, field, dtypes, use);
  extents(v, field, 0, all);
}

void Check::row_list(const ds4_view& v, const char* field, DtypeSet dtypes, std::uint32_t width,
                     Use use) {
  view(v, field, dtypes, use);
  require(v.rank == 2 || v.rank == 3, field, ": rank ", v.rank, " where 2 or 3 is needed");
  const std::uint32_t found = v.extent[v.rank - 1];
  require(width == kAny || found == width, field, ": width ", found, " where ", width,
          " is needed");
  require(v.rank == 2 || v.extent[1] != 0, field, ": extent 1 is 0");
}

void Check::list(const ds4_view& v, const char* field, Use use) {
  view(v, field, kI32, use);
  require(v.rank == 1 || (v.rank == 2 && v.extent[1] == 1), field, " is no [rows] or [rows, 1]");
  covers(v, field);
}

void Check::vectors(const ds4_view& v, const char* field, Use use) {
  view(v, field, kF32, use);
  require(v.rank == 2 || v.rank == 3, field, ": rank ", v.rank, " where 2 or 3 is needed");
  covers(v, field);
}

void Check::same_shape(const ds4_view& v, const char* field, const ds4_view& like) {
  require(v.rank == like.rank, field, ": rank ", v.rank, " where ", like.rank, " is needed");
  for (std::uint32_t d = 1; d < v.rank; ++d) {
    require(v.extent[d] == like.extent[d], field, ": extent ", d, " is ", v.extent[d], " where ",
            like.extent[d], " is needed");
  }
}

void Check::contiguous_rows(const ds4_view& v, const char* field) {
  std::uint64_t bytes = sdk::row_bytes(v.dtype, v.extent[v.rank - 1], v.row_tail);
  for (std::uint32_t d = v.rank - 1; d-- > 1;) {
    require(v.extent[d] <= 1 || v.stride[d] == bytes, field, ": stride ", v.stride[d],
            " of extent ", d, " leaves gaps in a row, ", bytes, " is needed");
    bytes = sdk::sat_mul(bytes, v.extent[d]);
  }
}

void Check::weight(const ds4_weight* w, const char* field,
                   std::initializer_list<std::uint32_t> expected, bool is_i32) {
  if (w == nullptr && asking_ == Asking::support) return;
  require(w != nullptr, field, " is null");
  require(w->device == &device_, field, " lies on another device");
  require(is_i32 ? w->dtype == DS4_DTYPE_I32 : is_float_weight(w->dtype), field, ": dtype ",
          sdk::dtype_name(w->dtype), " is not taken here");
  holds_data(*w, field);
  weight_extents(*w, field, expected);
}

void Check::experts(const ds4_weight* w, const char* field,
                    std::initializer_list<std::uint32_t> expected) {
  if (w == nullptr || !w->is_streamed) return weight(w, field, expected);
  require(w->device == &device_, field, " lies on another device");
  weight_extents(*w, field, expected);
}

void Check::weight_extents(const ds4_weight& w, const char* field,
                           std::initializer_list<std::uint32_t> expected) const {
  require(w.rank == expected.size(), field, ": rank ", w.rank, " where ", expected.size(),
          " is needed");
  std::uint32_t d = 0;
  for (const std::uint32_t extent : expected) {
    require(extent == kAny || w.extent[d] == extent, field, ": extent ", d, " is ", w.extent[d],
            " where ", extent, " is needed");
    ++d;
  }
}

void Check::holds_data(const ds4_weight& w, const char* field) const {
  if (w.is_streamed) fail(DS4_E_UNSUPPORTED, field, ": streamed experts are not taken here");
}

void Check::vector(const ds4_weight* w, const char* field, std::uint64_t values) {
  if (w == nullptr && asking_ == Asking::support) return;
  require(w != nullptr, field, " is null");
  require(w->device == &device_, field, " lies on another device");
  require(is_float_weight(w->dtype), field, ": dtype ", sdk::dtype_name(w->dtype),
          " is not taken here");
  holds_data(*w, field);
  const std::uint64_t found = w->rows() * w->width();
  require(w->rank == 1 && found == values, field, ": rank ", w->rank, " with ", found,
          " values where a vector of ", values, " is needed");
}

void Check::rope(const ds4_rope& rope, std::uint32_t width) {
  if ((rope.flags & ~(DS4_ROPE_YARN | DS4_ROPE_INVERSE)) != 0) {
    fail(DS4_E_UNSUPPORTED, "rope.flags: unknown bits in ", rope.flags);
  }
  require(rope.dims % 2 == 0 && rope.dims <= width, "rope.dims: ", rope.dims,
          " is odd or exceeds width ", width);
  if (rope.dims == 0) return;
  require(std::isfinite(rope.base) && rope.base > 1, "rope.base is no number above 1");
  if ((rope.flags & DS4_ROPE_YARN) == 0) return;
  require(std::isfinite(rope.factor) && rope.factor >= 1, "rope.factor is no number from 1 up");
  require(std::isfinite(rope.beta_fast) && rope.beta_slow > 0 && rope.beta_fast > rope.beta_slow,
          "rope.beta_fast and rope.beta_slow are not in order");
  require(rope.original_context > 0, "rope.original_context is 0");
}

void Check::rounding(const ds4_rounding& rounding, std::uint32_t width) {
  if (rounding.format > DS4_ROUND_FP4_E2M1) {
    fail(DS4_E_UNSUPPORTED, "rounding.format: unknown value ", rounding.format);
  }
  if ((rounding.flags & ~(DS4_ROUNDING_HADAMARD | DS4_ROUNDING_TAIL_BF16)) != 0) {
    fail(DS4_E_UNSUPPORTED, "rounding.flags: unknown bits in ", rounding.flags);
  }
  require(rounding.tail <= width, "rounding.tail: ", rounding.tail, " exceeds width ", width);
  require(rounding.format == DS4_ROUND_NONE || rounding.block > 0, "rounding.block is 0");
  if ((rounding.flags & DS4_ROUNDING_HADAMARD) != 0) {
    require(width != 0 && (width & (width - 1)) == 0, "rounding: the Hadamard transform needs a ",
            "power of two, width is ", width);
    if (width > kHadamardMost) {
      fail(DS4_E_UNSUPPORTED, "rounding: the Hadamard transform takes at most ", kHadamardMost,
           " values, width is ", width);
    }
  }
}

void Check::source(const ds4_row_source& s, const char* field, std::uint32_t width,
                   std::initializer_list<std::uint32_t> kinds) {
  if (s.kind > DS4_SOURCE_PAGES) fail(DS4_E_UNSUPPORTED, field, ".kind: unknown value ", s.kind);
  bool is_allowed = false;
  for (const std::uint32_t kind : kinds) is_allowed = is_allowed || kind == s.kind;
  require(is_allowed, field, ".kind: ", s.kind, " is not taken here");
  if (s.kind == DS4_SOURCE_NONE) return;
  row_list(s.rows, field, kRowTypes, width);
  if (s.kind == DS4_SOURCE_LIST) rows(s.list, "source list", kI32, {kAny});
  if (s.kind == DS4_SOURCE_RANGE) rows(s.list, "source list", kI32, {2});
  if (s.kind == DS4_SOURCE_PAGES || (s.kind == DS4_SOURCE_RANGE && s.wrap != 0)) {
    list(s.slot, "source slot");
  }
  if (s.kind == DS4_SOURCE_PAGES) {
    require(s.page_rows != 0, field, ".page_rows is 0");
    list(s.count, "source count");
    table(s.table, "source table", kI32, {kAny, kAny});
  }
}

void Check::finite(double value, const char* field) {
  require(std::isfinite(value), field, " is no finite number");
}

void Check::overlaps() const {
  if (asking_ == Asking::support) return;
  for (std::uint32_t i = 0; i < seen_count_; ++i) {
    if (seen_[i].use == Use::input) continue;
    for (std::uint32_t j = 0; j < seen_count_; ++j) {
      // Outputs that ops read back as indices must not change under them, validation or not.
      if (!device_.validates && seen_[j].use == Use::input) continue;
      if (i == j || !share_bytes(*seen_[i].view, *seen_[j].view)) continue;
      const bool is_declared =
          seen_[i].use == Use::in_place && same_view(*seen_[i].view, *seen_[j].view);
      require(is_declared, seen_[i].field, " overlaps ", seen_[j].field);
    }
  }
}

void Check::spares_header(const ds4_view& step) const {
  if (sdk::is_absent(step)) return;
  ds4_view header = step;
  header.extent[0] = std::min(header.extent[0], DS4_STEP_HEADER_WORDS);
  for (std::uint32_t i = 0; i < seen_count_; ++i) {
    require(seen_[i].use == Use::input || !share_bytes(*seen_[i].view, header), seen_[i].field,
            " overlaps the header of the step block");
  }
}

void Check::spares_workspace(const ds4_view& workspace) const {
  if (sdk::is_absent(workspace)) return;
  for (std::uint32_t i = 0; i < seen_count_; ++i) {
    require(!share_bytes(*seen_[i].view, workspace), seen_[i].field, " overlaps the workspace");
  }
}

}  // namespace ds4::cpu
