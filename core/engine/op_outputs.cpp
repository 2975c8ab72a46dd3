#include "engine/op_outputs.hpp"

#include <algorithm>
#include <cstring>

#include "ops/row_codec.hpp"
#include "ops/views.hpp"

namespace ds4 {
namespace {

template <class Op>
const Op& as(const ds4_op& op) {
  return reinterpret_cast<const Op&>(op);
}

std::vector<OpOutput> topk_outputs(const ds4_op_topk& op) {
  // Both sides rank the same values, so that nothing is near a tie: equal values go by their ids.
  std::vector<OpOutput> out = {{"ids", op.ids, Nearness::exact}};
  if (op.values.buffer != nullptr) out.push_back({"values", op.values, Nearness::exact});
  return out;
}

std::vector<OpOutput> required_outputs(const ds4_op& op) {
  switch (op.id) {
    case DS4_OP_COPY_CAST:
      return {{"y", as<ds4_op_copy_cast>(op).y, Nearness::exact}};
    case DS4_OP_FILL:
      return {{"y", as<ds4_op_fill>(op).y, Nearness::exact}};
    case DS4_OP_GATHER_ROWS:
      return {{"y", as<ds4_op_gather_rows>(op).y, Nearness::exact}};
    case DS4_OP_SCATTER_ROWS:
      return {{"y", as<ds4_op_scatter_rows>(op).y, Nearness::exact, true}};
    case DS4_OP_PAGE_ROWS:
      return {{"physical", as<ds4_op_page_rows>(op).physical, Nearness::exact}};
    case DS4_OP_RESOLVE_TOKENS:
      return {{"tokens", as<ds4_op_resolve_tokens>(op).y, Nearness::exact}};
    case DS4_OP_ADD:
    case DS4_OP_MUL:
      return {{"y", as<ds4_op_binary>(op).y}};
    case DS4_OP_SCALE_ADD:
      return {{"y", as<ds4_op_scale_add>(op).y}};
    case DS4_OP_ROW_SUM:
      return {{"y", as<ds4_op_row_sum>(op).y}};
    case DS4_OP_UNARY:
      return {{"y", as<ds4_op_unary>(op).y}};
    case DS4_OP_MATMUL:
      return {{"y", as<ds4_op_matmul>(op).y, Nearness::product}};
    case DS4_OP_MATMUL_ACT:
      return {{"y", as<ds4_op_matmul_act>(op).y, Nearness::product}};
    case DS4_OP_GROUPED_MATMUL:
      return {{"y", as<ds4_op_grouped_matmul>(op).y, Nearness::product}};
    case DS4_OP_RMS_NORM:
      return {{"y", as<ds4_op_rms_norm>(op).y}};
    case DS4_OP_ROPE_TAIL:
      return {{"y", as<ds4_op_rope_tail>(op).y}};
    case DS4_OP_QUANT_ROUND_TRIP:
      return {{"y", as<ds4_op_quant_round_trip>(op).y, Nearness::rounded}};
    case DS4_OP_SWIGLU_CLAMP:
      return {{"y", as<ds4_op_swiglu_clamp>(op).y}};
    case DS4_OP_SOFTMAX_SINK:
      return {{"y", as<ds4_op_softmax_sink>(op).y}};
    case DS4_OP_SOFTMAX_POOL:
      return {{"y", as<ds4_op_softmax_pool>(op).y}};
    case DS4_OP_MIX_STREAMS:
      return {{"y", as<ds4_op_mix_streams>(op).y}};
    case DS4_OP_TOPK:
      return topk_outputs(as<ds4_op_topk>(op));
    case DS4_OP_TAKE_COLUMNS:
      return {{"y", as<ds4_op_take_columns>(op).y, Nearness::exact}};
    case DS4_OP_NORMALIZE_SUM:
      return {{"y", as<ds4_op_normalize_sum>(op).y}};
    case DS4_OP_SINKHORN_SPLIT: {
      const auto& o = as<ds4_op_sinkhorn_split>(op);
      return {{"pre", o.pre}, {"post", o.post}, {"comb", o.comb}};
    }
    case DS4_OP_ATTENTION_ROWS:
      return {{"y", as<ds4_op_attention>(op).y, Nearness::product}};
    default:
      return {};
  }
}

}  // namespace

std::vector<OpOutput> outputs_of(const ds4_op& op) {
  switch (op.id) {
    case DS4_OP_EMBED_STREAMS:
      return {{"x", as<ds4_op_embed_streams>(op).x, Nearness::exact}};
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
      return {{"ring", as<ds4_op_commit>(op).y, Nearness::exact, true}};
    case DS4_OP_COMPRESS_PROJECT:
      return {{"pairs", as<ds4_op_compress_project>(op).pairs, Nearness::product}};
    case DS4_OP_COMPRESS_EMIT:
      return {{"pool", as<ds4_op_compress_emit>(op).pool, Nearness::rounded, true}};
    case DS4_OP_INDEX_SCORE: {
      const auto& o = as<ds4_op_index_score>(op);
      return {{"scores", o.scores, Nearness::product, false, o.keys.count}};
    }
    case DS4_OP_INDEX_TOPK:
      return {{"ids", as<ds4_op_index_topk>(op).ids, Nearness::exact}};
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
    case DS4_OP_HEAD:
      return {{"logits", as<ds4_op_head>(op).logits, Nearness::product}};
    case DS4_OP_SAMPLE_ARGMAX:
    case DS4_OP_SAMPLE_TOPK:
      return topk_outputs(as<ds4_op_sample>(op));
    case DS4_OP_STEER:
      return {{"x", as<ds4_op_steer>(op).x}};
    default:
      return required_outputs(op);
  }
}

ViewRows::ViewRows(const ds4_view& view, bool is_stored) noexcept
    : view_(view), first_axis_(is_stored && view.rank == 3 ? 2 : 1) {
  count_ = view.rank == 0 ? 0 : view.extent[0];
  if (first_axis_ == 2) count_ *= view.extent[1];
  if (view.rank == 0) return;
  ds4_view row = view;
  for (std::uint32_t axis = 0; axis < first_axis_; ++axis) row.extent[axis] = 1;
  bytes_ = view_span_bytes(row);
}

std::uint64_t ViewRows::offset(std::uint64_t row) const noexcept {
  if (first_axis_ == 1) return row * view_.stride[0];
  return row / view_.extent[1] * view_.stride[0] + row % view_.extent[1] * view_.stride[1];
}

std::uint64_t ViewRows::run(std::uint64_t row, std::uint64_t most) const noexcept {
  const std::uint64_t stride = view_.stride[first_axis_ - 1];
  const std::uint64_t end =
      first_axis_ == 1 ? count_ : (row / view_.extent[1] + 1) * view_.extent[1];
  const std::uint64_t fitting = stride == 0 ? 1 : std::max<std::uint64_t>(most / stride, 1);
  return std::min(end - row, fitting);
}

/// take(bytes from the first of the row) for each innermost vector.
template <class Take>
void ViewRows::each_vector(Take take) const {
  const std::uint32_t last = view_.rank - 1;
  std::uint64_t vectors = 1;
  for (std::uint32_t axis = first_axis_; axis < last; ++axis) vectors *= view_.extent[axis];
  for (std::uint64_t v = 0; v < vectors; ++v) {
    std::uint64_t rest = v;
    std::uint64_t at = 0;
    for (std::uint32_t axis = last; axis-- > first_axis_;) {
      at += rest % view_.extent[axis] * view_.stride[axis];
      rest /= view_.extent[axis];
    }
    take(at);
  }
}

std::vector<float> ViewRows::values(const std::byte* row) const {
  const std::uint32_t width = view_.rank <= first_axis_ ? 1 : view_width(view_);
  std::vector<float> out;
  each_vector([&](std::uint64_t at) {
    const std::vector<float> part = decode_view_row(view_.dtype, width, view_.row_tail, row + at);
    out.insert(out.end(), part.begin(), part.end());
  });
  return out;
}

std::vector<std::int32_t> ViewRows::ids(const std::byte* row) const {
  const std::uint32_t width = view_.rank <= first_axis_ ? 1 : view_width(view_);
  std::vector<std::int32_t> out;
  each_vector([&](std::uint64_t at) {
    const std::size_t before = out.size();
    out.resize(before + width);
    std::memcpy(&out[before], row + at, width * sizeof(std::int32_t));
  });
  return out;
}

}  // namespace ds4
