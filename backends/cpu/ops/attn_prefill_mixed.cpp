/// attn_prefill_mixed: window rows and all compressed rows; contract in ds4/ops.h.
#include "../kernels/attention.hpp"
#include "table.hpp"

namespace ds4::fast {

extern const OpEntry kAttnPrefillMixed =
    make_entry_with<ds4_op_attention, AttentionLayout, check_attn_prefill_mixed, run_attention,
                    attention_work>(DS4_OP_ATTN_PREFILL_MIXED);

}  // namespace ds4::fast
