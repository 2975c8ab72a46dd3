/// attention_rows: attention over explicit rows, not rotated back; contract in ds4/ops.h.
#include "../kernels/attention.hpp"
#include "table.hpp"

namespace ds4::fast {

extern const OpEntry kAttentionRows =
    make_entry_with<ds4_op_attention, AttentionLayout, check_attention_rows, run_attention,
                    attention_work>(DS4_OP_ATTENTION_ROWS);

}  // namespace ds4::fast
