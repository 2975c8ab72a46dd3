/// scatter_rows: y[ids[i]] = x[i], encoded; contract in ds4/ops.h.
#include "cpu-common/moves.hpp"
#include "table.hpp"

namespace ds4::fast {

extern const OpEntry kScatterRows =
    make_entry<ds4_op_scatter_rows, check_scatter_rows, run_scatter_rows, work_scatter_rows>(
        DS4_OP_SCATTER_ROWS);

}  // namespace ds4::fast
