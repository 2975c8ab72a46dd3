/// swiglu_clamp: the gated unit with an optional weight a vector; contract in ds4/ops.h.
#include "../kernels/gated_unit.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

void run(Context& c, const ds4_op_swiglu_clamp& op, const sdk::RowRange& rows) {
  const Bytes gate = Context::bytes(op.gate);
  const Bytes up = Context::bytes(op.up);
  const Bytes weight = Context::bytes(op.weight);
  const Bytes y = Context::bytes(op.y);
  each_vector(c, rows, vectors_of(op.gate), [&](std::uint32_t r, std::uint32_t k) {
    const float factor = weight.base != nullptr ? f32(weight.row(r))[k] : 1.0F;
    gated_units(f32(gate.row(r, k)), f32(up.row(r, k)), op.limit, factor, f32(y.row(r, k)),
                gate.width);
  });
}

}  // namespace

extern const OpEntry kSwigluClamp =
    make_entry<ds4_op_swiglu_clamp, check_swiglu_clamp, run, work_swiglu_clamp>(
        DS4_OP_SWIGLU_CLAMP);

}  // namespace ds4::fast
