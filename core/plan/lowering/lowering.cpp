#include "plan/lowering/lowering.hpp"

#include "plan/lowering/compositions.hpp"

namespace ds4 {
namespace {

template <class Op>
Result<void> compose(Result<void> (*composition)(const Op&, LoweringSink&), const ds4_op& fused,
                     LoweringSink& sink) {
  // The header is the first member of every descriptor, and lower() has checked the size.
  return composition(reinterpret_cast<const Op&>(fused), sink);
}

Result<void> choose(const ds4_op& fused, LoweringSink& sink) {
  switch (fused.id) {
    case DS4_OP_EMBED_STREAMS:
      return compose(lowering::embed_streams, fused, sink);
    case DS4_OP_HC_PRE:
      return compose(lowering::hc_pre, fused, sink);
    case DS4_OP_HC_POST:
      return compose(lowering::hc_post, fused, sink);
    case DS4_OP_Q_PROJECT:
      return compose(lowering::q_project, fused, sink);
    case DS4_OP_KV_PROJECT:
      return compose(lowering::kv_project, fused, sink);
    case DS4_OP_KV_COMMIT:
      return compose(lowering::kv_commit, fused, sink);
    case DS4_OP_COMPRESS_PROJECT:
      return compose(lowering::compress_project, fused, sink);
    case DS4_OP_COMPRESS_EMIT:
      return compose(lowering::compress_emit, fused, sink);
    case DS4_OP_COMPRESS_COMMIT:
      return compose(lowering::compress_commit, fused, sink);
    case DS4_OP_INDEX_SCORE:
      return compose(lowering::index_score, fused, sink);
    case DS4_OP_INDEX_TOPK:
      return compose(lowering::index_topk, fused, sink);
    case DS4_OP_ATTN_DECODE:
      return compose(lowering::attn_decode, fused, sink);
    case DS4_OP_ATTN_PREFILL_WINDOW:
      return compose(lowering::attn_prefill_window, fused, sink);
    case DS4_OP_ATTN_PREFILL_MIXED:
      return compose(lowering::attn_prefill_mixed, fused, sink);
    case DS4_OP_ATTN_INDEXED:
      return compose(lowering::attn_indexed, fused, sink);
    case DS4_OP_ATTN_OUT:
      return compose(lowering::attn_out, fused, sink);
    case DS4_OP_ROUTE:
      return compose(lowering::route, fused, sink);
    case DS4_OP_MOE_ROUTED:
      return compose(lowering::moe_routed, fused, sink);
    case DS4_OP_FFN_SHARED:
      return compose(lowering::ffn_shared, fused, sink);
    case DS4_OP_HEAD:
      return compose(lowering::head, fused, sink);
    case DS4_OP_SAMPLE_ARGMAX:
      return compose(lowering::sample_argmax, fused, sink);
    case DS4_OP_SAMPLE_TOPK:
      return compose(lowering::sample_topk, fused, sink);
    case DS4_OP_STEER:
      return compose(lowering::steer, fused, sink);
    default:
      return fail(Errc::unsupported, op_name(fused.id), " has no composition");
  }
}

}  // namespace

Result<void> lower(const ds4_op& fused, LoweringSink& sink) {
  const OpTraits* traits = find_op(fused.id);
  if (!traits || traits->tier != OpTier::fused) {
    return fail(Errc::unsupported, "op id ", fused.id, " (", op_name(fused.id),
                ") is no fused op, only those have a composition");
  }
  if (fused.struct_size != traits->struct_size) {
    return fail(Errc::unsupported, traits->name, ": descriptor of ", fused.struct_size,
                " bytes, wanted ", traits->struct_size);
  }
  if ((fused.flags & ~traits->flags) != 0) {
    return fail(Errc::unsupported, traits->name, ": unknown flag bits in ", fused.flags);
  }
  return choose(fused, sink);
}

}  // namespace ds4
