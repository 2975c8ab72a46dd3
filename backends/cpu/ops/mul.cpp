/// mul: y = x * b; contract in ds4/ops.h.
#include "binary.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

void run(Context& c, const ds4_op_binary& op, const sdk::RowRange& rows) {
  run_binary(c, op, rows, [](float a, float b) { return a * b; });
}

}  // namespace

extern const OpEntry kMul =
    make_entry_with<ds4_op_binary, BinaryLayout, check_binary, run, work_binary>(DS4_OP_MUL);

}  // namespace ds4::fast
