/// fill: y = value; contract in ds4/ops.h.
#include "cpu-common/contracts/contracts.hpp"
#include "cpu-common/moves.hpp"
#include "table.hpp"

namespace ds4::reference {

using namespace cpu;

extern const OpEntry kFill = make_entry<ds4_op_fill, check_fill, run_fill, work_fill>(DS4_OP_FILL);

}  // namespace ds4::reference
