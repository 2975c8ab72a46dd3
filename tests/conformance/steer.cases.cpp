#include <cmath>

#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

void steer_cases(Suite& suite) {
  for (const std::uint32_t usual : {24U, 64U}) {
    if (suite.is_model() && usual != 64) continue;
    for (const RowCase& rows : suite.rows()) {
      suite.run(suite.is_model() ? "width of Flash" : "width " + std::to_string(usual), rows,
                [&](Case& c) {
                  const std::uint32_t streams = c.size({.usual = 4, .model = 4, .high = 6});
                  const std::uint32_t width = c.size({.usual = usual, .model = 4096});
                  auto op = c.op<ds4_op_steer>(DS4_OP_STEER);
                  const Weight& direction =
                      c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {width}, 1 / std::sqrt(1.0 * width));
                  const Tensor& x = c.accumulator({streams, width});
                  op.direction = direction.handle;
                  op.x = x.view;
                  op.scale = 0.75;
                  const auto expected = [&](std::size_t row) {
                    Estimate all;
                    for (std::uint32_t s = 0; s < streams; ++s) {
                      const Estimate stream =
                          exact(x.vector((row - rows.tile_first) * streams + s));
                      const Estimate way = exact(direction.row(0));
                      const Estimate part = scaled(dot(stream, way), -op.scale);
                      append(all, sum(stream, mixed(part, way, width)));
                    }
                    return all;
                  };
                  c.compare(op.op, {{.name = "x", .tensor = &x, .expected = expected}});
                });
    }
  }
}

}  // namespace ds4::conformance
