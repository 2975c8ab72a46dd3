#include <cmath>

#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

void hc_post_cases(Suite& suite) {
  constexpr std::uint32_t kStreams = 4;
  for (const std::uint32_t width : {1U, 24U, 64U}) {
    for (const RowCase& rows : row_grid()) {
      suite.run("width " + std::to_string(width), rows, [&](Case& c) {
        auto op = c.op<ds4_op_hc_post>(DS4_OP_HC_POST);
        const Tensor& x = c.input({rows.rows, kStreams, width});
        const Tensor& out = c.input({rows.rows, width});
        const Tensor& post = c.input({rows.rows, kStreams});
        const Tensor& comb = c.input({rows.rows, kStreams, kStreams});
        const Tensor& y = c.output(DS4_DTYPE_F32, {kStreams, width});
        op.x = x.view;
        op.out = out.view;
        op.post = post.view;
        op.comb = comb.view;
        op.y = y.view;
        const auto bound = [&](std::size_t row, std::size_t column) {
          const std::size_t k = column / width;
          const std::size_t d = column % width;
          const auto at = [](const Tensor& t, std::size_t i) {
            return std::abs(static_cast<double>(t.values[i]));
          };
          double sum = at(post, row * kStreams + k) * at(out, row * width + d);
          for (std::size_t j = 0; j < kStreams; ++j) {
            sum += at(comb, (row * kStreams + j) * kStreams + k) *
                   at(x, (row * kStreams + j) * width + d);
          }
          return sum;
        };
        c.compare(op.op, {{.name = "y", .tensor = &y, .norm = bound, .terms = kStreams + 1}});
      });
    }
  }
}

}  // namespace ds4::conformance
