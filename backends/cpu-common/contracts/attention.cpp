#include "contracts.hpp"

namespace ds4::cpu {

void check_attention_rows(Check& c, const ds4_op_attention& op) {
  check_attention(c, op, {DS4_SOURCE_NONE, DS4_SOURCE_LIST, DS4_SOURCE_RANGE, DS4_SOURCE_PAGES});
  c.require(op.rope.dims == 0, "rope.dims is ", op.rope.dims, ", attention_rows rotates nothing");
}

void check_attn_decode(Check& c, const ds4_op_attention& op) {
  check_attention(c, op, {DS4_SOURCE_NONE, DS4_SOURCE_PAGES});
}

void check_attn_prefill_window(Check& c, const ds4_op_attention& op) {
  check_attention(c, op, {DS4_SOURCE_NONE});
}

void check_attn_prefill_mixed(Check& c, const ds4_op_attention& op) {
  check_attention(c, op, {DS4_SOURCE_PAGES});
}

void check_attn_indexed(Check& c, const ds4_op_attention& op) {
  check_attention(c, op, {DS4_SOURCE_LIST});
}

}  // namespace ds4::cpu
