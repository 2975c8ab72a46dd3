/// fill: y = value; contract in ds4/ops.h.
#include "cpu-common/moves.hpp"
#include "table.hpp"

namespace ds4::fast {

extern const OpEntry kFill = make_entry<ds4_op_fill, check_fill, run_fill, work_fill>(DS4_OP_FILL);

}  // namespace ds4::fast
