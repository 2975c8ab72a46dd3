/// kv_commit: ring[ids[i]] = x[i]; contract in ds4/ops.h.
#include "cpu-common/contracts/contracts.hpp"
#include "cpu-common/moves.hpp"
#include "table.hpp"

namespace ds4::reference {

using namespace cpu;

extern const OpEntry kKvCommit =
    make_entry<ds4_op_commit, check_commit, run_commit, work_commit>(DS4_OP_KV_COMMIT);

}  // namespace ds4::reference
