#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

void hc_post_cases(Suite& suite) {
  for (const std::uint32_t usual : {1U, 24U, 64U}) {
    if (suite.is_model() && usual != 64) continue;
    for (const RowCase& rows : suite.rows()) {
      suite.run(suite.is_model() ? "width of Flash" : "width " + std::to_string(usual), rows,
                [&](Case& c) {
                  const std::uint32_t streams = c.size({.usual = 4, .model = 4, .high = 6});
                  const std::uint32_t width = c.size({.usual = usual, .model = 4096});
                  auto op = c.op<ds4_op_hc_post>(DS4_OP_HC_POST);
                  const Tensor& x = c.input({rows.rows, streams, width});
                  const Tensor& out = c.input({rows.rows, width});
                  const Tensor& post = c.input({rows.rows, streams});
                  const Tensor& comb = c.input({rows.rows, streams, streams});
                  const Tensor& y = c.output(DS4_DTYPE_F32, {streams, width});
                  op.x = x.view;
                  op.out = out.view;
                  op.post = post.view;
                  op.comb = comb.view;
                  op.y = y.view;
                  const auto expected = [&](std::size_t row) {
                    Estimate parts = exact(out.vector(row));
                    for (std::uint32_t j = 0; j < streams; ++j) {
                      append(parts, exact(x.vector(row * streams + j)));
                    }
                    Estimate all;
                    for (std::uint32_t k = 0; k < streams; ++k) {
                      Estimate factors = exact(post.vector(row).subspan(k, 1));
                      for (std::uint32_t j = 0; j < streams; ++j) {
                        append(factors, exact(comb.vector(row * streams + j).subspan(k, 1)));
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
