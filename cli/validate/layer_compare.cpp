#include "validate/layer_compare.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "ops/op_table.hpp"
#include "ops/views.hpp"
#include "tests/conformance/harness/row_codec.hpp"

namespace ds4::validate {
namespace {

template <class Op>
const Op& as(const ds4_op& op) {
  return reinterpret_cast<const Op&>(op);
}

std::uint64_t rows_of(const ds4_view& view) {
  // Rings and pools: every stored row; else rows of the step.
  return is_row_dtype(view.dtype) && view.rank == 3 ? std::uint64_t{view.extent[0]} * view.extent[1]
                                                    : view.extent[0];
}

const std::vector<std::byte>& bytes_of(const ds4_view& view, const LayerSide& side,
                                       const LayerState& state) {
  if (view.buffer == side.arena()) return state.arena;
  return view.buffer == side.rings() ? state.rings : state.pool;
}

/// One row of a view as values.
std::vector<float> row_values(const ds4_view& view, const std::byte* row) {
  if (is_row_dtype(view.dtype)) {
    return conformance::decode_view_row(view.dtype, view_width(view), view.row_tail, row);
  }
  std::size_t count = 1;
  for (std::uint32_t axis = 1; axis < view.rank; ++axis) count *= view.extent[axis];
  std::vector<float> values(count);
  std::memcpy(values.data(), row, count * sizeof(float));
  return values;
}

struct RowDistance {
  double relative = 0;
  double flips = 0;    ///< share of values beyond a float path
  double largest = 0;  ///< largest difference, relative to the row's largest value
};

RowDistance distance(std::span<const float> wanted, std::span<const float> got) {
  double squares = 0;
  double norm = 0;
  double top = 0;
  for (const float value : wanted) {
    if (std::isfinite(value)) top = std::max(top, std::abs(static_cast<double>(value)));
  }
  RowDistance result;
  std::size_t flips = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto w = static_cast<double>(wanted[i]);
    const auto g = static_cast<double>(got[i]);
    if (w == g || (std::isnan(w) && std::isnan(g))) {
      if (std::isfinite(w)) norm += w * w;
      continue;
    }
    if (!std::isfinite(w) || !std::isfinite(g)) {
      result.relative = std::numeric_limits<double>::infinity();
      result.largest = result.relative;
      return result;
    }
    const double difference = std::abs(w - g);
    squares += difference * difference;
    norm += w * w;
    result.largest = std::max(result.largest, top > 0 ? difference / top : difference);
    if (difference > kSingleLimit * top) ++flips;
  }
  result.flips =
      wanted.empty() ? 0 : static_cast<double>(flips) / static_cast<double>(wanted.size());
  if (squares > 0) {
    // Beside values that vanish a distance has no relative size.
    result.relative = norm > 0 ? std::sqrt(squares / norm) : std::sqrt(squares);
  }
  return result;
}

}  // namespace

std::vector<OpOutput> outputs_of(const ds4_op& op) {
  switch (op.id) {
    case DS4_OP_RESOLVE_TOKENS:
      return {{"tokens", as<ds4_op_resolve_tokens>(op).y, Nearness::exact}};
    case DS4_OP_HC_PRE: {
      const auto& o = as<ds4_op_hc_pre>(op);
      return {{"y", o.y}, {"post", o.post}, {"comb", o.comb}};
    }
    case DS4_OP_HC_POST:
      return {{"y", as<ds4_op_hc_post>(op).y}};
    case DS4_OP_Q_PROJECT: {
      const auto& o = as<ds4_op_q_project>(op);
      return {{"qr", o.qr, Nearness::product}, {"q", o.q, Nearness::product}};
    }
    case DS4_OP_KV_PROJECT:
      return {{"kv", as<ds4_op_kv_project>(op).kv, Nearness::rounded}};
    case DS4_OP_KV_COMMIT:
    case DS4_OP_COMPRESS_COMMIT:
      return {{"ring", as<ds4_op_commit>(op).y, Nearness::exact}};
    case DS4_OP_COMPRESS_PROJECT:
      return {{"pairs", as<ds4_op_compress_project>(op).pairs, Nearness::product}};
    case DS4_OP_COMPRESS_EMIT:
      return {{"pool", as<ds4_op_compress_emit>(op).pool, Nearness::rounded}};
    case DS4_OP_INDEX_SCORE:
      return {{"scores", as<ds4_op_index_score>(op).scores, Nearness::product}};
    case DS4_OP_INDEX_TOPK:
      return {{"ids", as<ds4_op_index_topk>(op).ids, Nearness::exact}};
    case DS4_OP_PAGE_ROWS:
      return {{"physical", as<ds4_op_page_rows>(op).physical, Nearness::exact}};
    case DS4_OP_ATTN_DECODE:
    case DS4_OP_ATTN_PREFILL_WINDOW:
    case DS4_OP_ATTN_PREFILL_MIXED:
    case DS4_OP_ATTN_INDEXED:
      return {{"y", as<ds4_op_attention>(op).y, Nearness::product}};
    case DS4_OP_ATTN_OUT:
      return {{"y", as<ds4_op_attn_out>(op).y, Nearness::product}};
    case DS4_OP_ROUTE: {
      const auto& o = as<ds4_op_route>(op);
      return {{"ids", o.ids, o.table != nullptr ? Nearness::exact : Nearness::chosen},
              {"weights", o.weights, Nearness::product}};
    }
    case DS4_OP_MOE_ROUTED:
      return {{"y", as<ds4_op_moe_routed>(op).y, Nearness::product}};
    case DS4_OP_FFN_SHARED:
      return {{"y", as<ds4_op_ffn_shared>(op).y, Nearness::product}};
    default:
      return {};
  }
}

Distance compare_output(const OpOutput& output, const LayerSide& side, const LayerState& wanted,
                        const LayerState& got, const std::vector<std::uint32_t>& columns,
                        double tolerance_scale) {
  Distance result;
  const ds4_view& view = output.view;
  const std::vector<std::byte>& a = bytes_of(view, side, wanted);
  const std::vector<std::byte>& b = bytes_of(view, side, got);
  const std::uint64_t stride =
      view.rank == 3 && is_row_dtype(view.dtype) ? view.stride[1] : view.stride[0];
  result.limit = output.nearness == Nearness::exact ? 0 : kSingleLimit * tolerance_scale;
  for (std::uint64_t row = 0; row < rows_of(view); ++row) {
    const std::uint64_t at = view.offset + row * stride;
    if (output.nearness == Nearness::exact) {
      const std::uint64_t bytes = is_row_dtype(view.dtype) || row + 1 < rows_of(view)
                                      ? stride
                                      : view_span_bytes(view) - row * stride;
      const bool is_inside = at + bytes <= a.size() && at + bytes <= b.size();
      if (is_inside && std::memcmp(&a[at], &b[at], bytes) == 0) continue;
      result.error = std::numeric_limits<double>::infinity();
      result.is_wrong = true;
      result.where = "row " + std::to_string(row) + (is_inside ? "" : " outside its buffer");
      return result;
    }
    std::vector<float> w = row_values(view, &a[at]);
    std::vector<float> g = row_values(view, &b[at]);
    if (!columns.empty()) {
      w.resize(std::min<std::size_t>(w.size(), columns[row]));
      g.resize(w.size());
    }
    const RowDistance found = distance(w, g);
    const bool is_float =
        output.nearness == Nearness::rounded
            ? found.flips <=
                      std::max(kFlipLimit, 2.5 / static_cast<double>(w.size())) * tolerance_scale &&
                  found.largest <= 0.5
            : found.relative <= kSingleLimit * tolerance_scale;
    const bool may_reduce =
        output.nearness == Nearness::product || output.nearness == Nearness::rounded;
    const double reduced = output.nearness == Nearness::rounded ? 0.15 : kReducedLimit;
    const bool is_reduced = may_reduce && found.relative <= reduced * tolerance_scale;
    if (!is_float) {
      result.is_reduced = result.is_reduced || is_reduced;
      result.is_wrong = result.is_wrong || !is_reduced;
    }
    if (found.relative > result.error) {
      result.error = found.relative;
      result.where = "row " + std::to_string(row);
      if (output.nearness == Nearness::rounded && is_float)
        result.limit = reduced * tolerance_scale;
      if (!is_float) result.limit = may_reduce ? reduced * tolerance_scale : result.limit;
    }
  }
  return result;
}

std::vector<std::int32_t> ints_of(const ds4_view& view, const LayerState& state) {
  std::vector<std::int32_t> values(view_span_bytes(view) / sizeof(std::int32_t));
  std::memcpy(values.data(), &state.arena[view.offset], values.size() * sizeof(std::int32_t));
  return values;
}

std::vector<float> floats_of(const ds4_view& view, const LayerState& state) {
  std::vector<float> values(view_span_bytes(view) / sizeof(float));
  std::memcpy(values.data(), &state.arena[view.offset], values.size() * sizeof(float));
  return values;
}

void put_ints(const ds4_view& view, std::span<const std::int32_t> values, LayerState& state) {
  std::memcpy(&state.arena[view.offset], values.data(), values.size_bytes());
}

}  // namespace ds4::validate
