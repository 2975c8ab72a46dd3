/// swiglu_clamp: the gated unit with an optional weight a vector; contract in ds4/ops.h.
#include "swiglu.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

void run(Context& c, const ds4_op_swiglu_clamp& op, const sdk::RowRange& rows) {
  const Bytes gate = Context::bytes(op.gate);
  const Bytes up = Context::bytes(op.up);
  const Bytes weight = Context::bytes(op.weight);
  const Bytes y = Context::bytes(op.y);
  each_vector(c, rows, vectors_of(op.gate), [&](std::uint32_t r, std::uint32_t k) {
    const float* g = f32(gate.row(r, k));
    const float* u = f32(up.row(r, k));
    float* out = f32(y.row(r, k));
    const double w = weight.base != nullptr ? f32(weight.row(r))[k] : 1.0;
    for (std::uint32_t i = 0; i < gate.width; ++i) {
      out[i] = static_cast<float>(swiglu(g[i], u[i], op.limit) * w);
    }
  });
}

}  // namespace

extern const OpEntry kSwigluClamp =
    make_entry<ds4_op_swiglu_clamp, check_swiglu_clamp, run, work_swiglu_clamp>(
        DS4_OP_SWIGLU_CLAMP);

}  // namespace ds4::reference
