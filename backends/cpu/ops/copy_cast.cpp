/// copy_cast: y = x, converted between row dtypes; contract in ds4/ops.h.
#include "cpu-common/moves.hpp"
#include "table.hpp"

namespace ds4::fast {

extern const OpEntry kCopyCast =
    make_entry_with<ds4_op_copy_cast, CopyLayout, check_copy_cast, run_copy_cast, work_copy_cast>(
        DS4_OP_COPY_CAST);

}  // namespace ds4::fast
