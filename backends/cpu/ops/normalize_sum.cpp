/// normalize_sum: y = x / max(sum of x, floor) * scale; contract in ds4/ops.h.
#include "table.hpp"

namespace ds4::fast {
namespace {

void run(Context& c, const ds4_op_normalize_sum& op, const sdk::RowRange& rows) {
  const Bytes x = Context::bytes(op.x);
  const Bytes y = Context::bytes(op.y);
  each_row(c, rows, [&](std::uint32_t r) {
    const float* in = f32(x.row(r));
    float* out = f32(y.row(r));
    double total = 0;
    for (std::uint32_t k = 0; k < x.width; ++k) total += double{in[k]};
    if (total < op.floor) total = op.floor;  // a NaN stays
    for (std::uint32_t k = 0; k < x.width; ++k) {
      out[k] = static_cast<float>(double{in[k]} / total * op.scale);
    }
  });
}

}  // namespace

extern const OpEntry kNormalizeSum =
    make_entry<ds4_op_normalize_sum, check_normalize_sum, run, work_normalize_sum>(
        DS4_OP_NORMALIZE_SUM);

}  // namespace ds4::fast
