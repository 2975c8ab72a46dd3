#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

void hc_post_cases(Suite& suite) {
  constexpr std::uint32_t kStreams = 4;
  for (const std::uint32_t width : {1U, 24U, 64U}) {
    for (const RowCase& rows : suite.rows()) {
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
        const auto expected = [&](std::size_t row) {
          Estimate parts = exact(out.vector(row));
          for (std::uint32_t j = 0; j < kStreams; ++j) {
            append(parts, exact(x.vector(row * kStreams + j)));
          }
          Estimate all;
          for (std::uint32_t k = 0; k < kStreams; ++k) {
            Estimate factors = exact(post.vector(row).subspan(k, 1));
            for (std::uint32_t j = 0; j < kStreams; ++j) {
              append(factors, exact(comb.vector(row * kStreams + j).subspan(k, 1)));
            }
            append(all, mixed(factors, parts, width));
          }
          return all;
        };
        c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
      });
    }
  }
}

}  // namespace ds4::conformance
