/// unary: y = f(x), element by element; contract in ds4/ops.h.
#include <cmath>

#include "../kernels/sums.hpp"
#include "table.hpp"

namespace ds4::fast {
namespace {

double apply(std::uint32_t function, double z) noexcept {
  const double sigmoid = 1.0 / (1.0 + std::exp(-z));
  switch (function) {
    case DS4_UNARY_SIGMOID:
      return sigmoid;
    case DS4_UNARY_SILU:
      return z * sigmoid;
    case DS4_UNARY_RELU:
      return z < 0 ? 0 : z;  // NaN is not below 0 and stays
    default:
      return sqrt_softplus(z);
  }
}

void run(Context& c, const ds4_op_unary& op, const sdk::RowRange& rows) {
  const Bytes x = Context::bytes(op.x);
  const Bytes y = Context::bytes(op.y);
  each_vector(c, rows, vectors_of(op.x), [&](std::uint32_t r, std::uint32_t k) {
    const float* in = f32(x.row(r, k));
    float* out = f32(y.row(r, k));
    for (std::uint32_t i = 0; i < x.width; ++i) {
      out[i] = static_cast<float>(apply(op.function, in[i]));
    }
  });
}

}  // namespace

extern const OpEntry kUnary = make_entry<ds4_op_unary, check_unary, run, work_unary>(DS4_OP_UNARY);

}  // namespace ds4::fast
