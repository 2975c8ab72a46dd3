/// page_rows: entries of a session's own list become rows of the pool; contract in ds4/ops.h.
#include "cpu-common/moves.hpp"
#include "table.hpp"

namespace ds4::fast {

extern const OpEntry kPageRows =
    make_entry<ds4_op_page_rows, check_page_rows, run_page_rows, work_page_rows>(DS4_OP_PAGE_ROWS);

}  // namespace ds4::fast
