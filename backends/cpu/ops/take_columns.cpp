/// take_columns: y[i, k] = x[i, ids[i, k]]; contract in ds4/ops.h.
#include "cpu-common/moves.hpp"
#include "table.hpp"

namespace ds4::fast {

extern const OpEntry kTakeColumns =
    make_entry<ds4_op_take_columns, check_take_columns, run_take_columns, work_take_columns>(
        DS4_OP_TAKE_COLUMNS);

}  // namespace ds4::fast
