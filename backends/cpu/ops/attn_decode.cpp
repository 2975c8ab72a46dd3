/// attn_decode: any rows, all compressed rows or none; contract in ds4/ops.h.
#include "../kernels/attention.hpp"
#include "table.hpp"

namespace ds4::fast {

extern const OpEntry kAttnDecode =
    make_entry_with<ds4_op_attention, AttentionLayout, check_attn_decode, run_attention,
                    attention_work>(DS4_OP_ATTN_DECODE);

}  // namespace ds4::fast
