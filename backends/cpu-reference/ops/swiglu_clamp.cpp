/// swiglu_clamp: the gated unit with an optional weight a vector; contract in ds4/ops.h.
#include "swiglu.hpp"
#include "table.hpp"

namespace ds4::reference {
namespace {

void check(Check& c, const ds4_op_swiglu_clamp& op) {
  c.vectors(op.gate, "gate");
  c.vectors(op.up, "up");
  c.same_shape(op.up, "up", op.gate);
  if (c.has(op.weight)) c.rows(op.weight, "weight", kF32, {vectors_of(op.gate)});
  c.vectors(op.y, "y", Check::Use::in_place);
  c.same_shape(op.y, "y", op.gate);
}

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

std::uint64_t work(const ds4_op_swiglu_clamp& op, std::uint64_t rows) {
  return sdk::sat_mul(elementwise_work(rows, op.gate), 16);
}

}  // namespace

extern const OpEntry kSwigluClamp =
    make_entry<ds4_op_swiglu_clamp, check, run, work>(DS4_OP_SWIGLU_CLAMP);

}  // namespace ds4::reference
