/// compress_commit: ring[ids[i]] = x[i]; contract in ds4/ops.h.
#include "cpu-common/moves.hpp"
#include "table.hpp"

namespace ds4::fast {

extern const OpEntry kCompressCommit =
    make_entry<ds4_op_commit, check_commit, run_commit, work_commit>(DS4_OP_COMPRESS_COMMIT);

}  // namespace ds4::fast
