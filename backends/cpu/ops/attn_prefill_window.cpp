/// attn_prefill_window: window rows alone; contract in ds4/ops.h.
#include "../kernels/attention.hpp"
#include "table.hpp"

namespace ds4::fast {

extern const OpEntry kAttnPrefillWindow =
    make_entry_with<ds4_op_attention, AttentionLayout, check_attn_prefill_window, run_attention,
                    attention_work>(DS4_OP_ATTN_PREFILL_WINDOW);

}  // namespace ds4::fast
