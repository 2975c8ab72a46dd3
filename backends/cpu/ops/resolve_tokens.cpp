/// resolve_tokens: ids that the previous step chose take their places; contract in ds4/ops.h.
#include "cpu-common/moves.hpp"
#include "table.hpp"

namespace ds4::fast {

extern const OpEntry kResolveTokens =
    make_entry<ds4_op_resolve_tokens, check_resolve_tokens, run_resolve_tokens,
               work_resolve_tokens>(DS4_OP_RESOLVE_TOKENS);

}  // namespace ds4::fast
