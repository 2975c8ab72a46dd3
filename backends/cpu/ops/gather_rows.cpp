/// gather_rows: y[i] = table[ids[i]], decoded; contract in ds4/ops.h.
#include "cpu-common/moves.hpp"
#include "table.hpp"

namespace ds4::fast {

extern const OpEntry kGatherRows =
    make_entry<ds4_op_gather_rows, check_gather_rows, run_gather_rows, work_gather_rows>(
        DS4_OP_GATHER_ROWS);

}  // namespace ds4::fast
