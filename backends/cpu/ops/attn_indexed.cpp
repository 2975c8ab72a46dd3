/// attn_indexed: window rows and the chosen compressed rows; contract in ds4/ops.h.
#include "../kernels/attention.hpp"
#include "table.hpp"

namespace ds4::fast {

extern const OpEntry kAttnIndexed =
    make_entry_with<ds4_op_attention, AttentionLayout, check_attn_indexed, run_attention,
                    attention_work>(DS4_OP_ATTN_INDEXED);

}  // namespace ds4::fast
