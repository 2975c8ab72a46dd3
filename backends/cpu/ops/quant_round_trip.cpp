/// quant_round_trip: what is left of a vector after the model's own rounding; contract in
/// ds4/ops.h.
#include <algorithm>

#include "cpu-common/row_codec.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

void run(Context& c, const ds4_op_quant_round_trip& op, const sdk::RowRange& rows) {
  const Bytes x = Context::bytes(op.x);
  const Bytes y = Context::bytes(op.y);
  each_vector(c, rows, vectors_of(op.x), [&](std::uint32_t r, std::uint32_t k) {
    const float* in = f32(x.row(r, k));
    float* out = f32(y.row(r, k));
    if (in != out) std::copy_n(in, x.width, out);
    round_row(op.rounding, out, x.width);
  });
}

}  // namespace

extern const OpEntry kQuantRoundTrip =
    make_entry<ds4_op_quant_round_trip, check_quant_round_trip, run, work_quant_round_trip>(
        DS4_OP_QUANT_ROUND_TRIP);

}  // namespace ds4::fast
