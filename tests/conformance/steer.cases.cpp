#include <cmath>

#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

void steer_cases(Suite& suite) {
  constexpr std::uint32_t kStreams = 4;
  for (const std::uint32_t width : {24U, 64U}) {
    for (const RowCase& rows : row_grid()) {
      suite.run("width " + std::to_string(width), rows, [&](Case& c) {
        auto op = c.op<ds4_op_steer>(DS4_OP_STEER);
        const Weight& direction =
            c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {width}, 1 / std::sqrt(1.0 * width));
        const Tensor& x = c.accumulator({kStreams, width});
        op.direction = direction.handle;
        op.x = x.view;
        op.scale = 0.75;
        const auto bound = [&](std::size_t row, std::size_t column) {
          const std::size_t at = (row - rows.tile_first) * kStreams + column / width;
          const std::size_t d = column % width;
          return std::abs(static_cast<double>(x.vector(at)[d])) +
                 op.scale * norm2(x.vector(at)) * norm2(direction.row(0)) *
                     std::abs(static_cast<double>(direction.values[d]));
        };
        c.compare(op.op, {{.name = "x", .tensor = &x, .norm = bound, .terms = 1.0 * width}});
      });
    }
  }
}

}  // namespace ds4::conformance
