/// add and mul: one loop over vectors, the operation is a parameter.
#pragma once

#include "table.hpp"

namespace ds4::fast {

struct BinaryLayout {
  float* weights;
  BinaryLayout(Arena&, Arena& local, const ds4_op_binary& op)
      : weights(local.take<float>(width_of(op.weight))) {}
};

template <class Operation>
void run_binary(Context& c, const ds4_op_binary& op, const sdk::RowRange& rows,
                Operation operation) {
  const BinaryLayout at(c.shared, c.local, op);
  const Bytes x = Context::bytes(op.x);
  const Bytes b = Context::bytes(op.b);
  const Bytes y = Context::bytes(op.y);
  const float* weights = op.weight != nullptr ? weight_row(*op.weight, 0, at.weights) : nullptr;
  const std::uint32_t given = op.weight != nullptr ? op.weight->width() : b.width;
  each_vector(c, rows, vectors_of(op.x), [&](std::uint32_t r, std::uint32_t k) {
    const float* left = f32(x.row(r, k));
    const float* right = weights != nullptr ? weights : f32(b.row(r, k));
    float* out = f32(y.row(r, k));
    if (given == 1) {
      const float one = right[0];
      for (std::uint32_t i = 0; i < x.width; ++i) out[i] = operation(left[i], one);
    } else {
      for (std::uint32_t i = 0; i < x.width; ++i) out[i] = operation(left[i], right[i]);
    }
  });
}

}  // namespace ds4::fast
