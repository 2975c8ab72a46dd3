#include <cmath>

#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

void sample_topk_cases(Suite& suite) {
  for (const std::uint32_t k : {1U, 5U, 41U}) {
    for (const RowCase& rows : suite.rows()) {
      suite.run("top " + std::to_string(k), rows, [&](Case& c) {
        const std::uint32_t vocab = c.size({.usual = 41, .model = 129280, .low = k, .high = 2000});
        auto op = c.op<ds4_op_sample>(DS4_OP_SAMPLE_TOPK);
        const Tensor& ids = c.output(DS4_DTYPE_I32, {k});
        const Tensor& values = c.output(DS4_DTYPE_F32, {k});
        const Tensor& x = c.ties({rows.rows, vocab});
        op.x = x.view;
        op.ids = ids.view;
        op.values = values.view;
        const auto best = [&](std::size_t row) { return largest(x.vector(row), k); };
        c.compare(op.op, {{.name = "ids", .tensor = &ids, .ids = best},
                          {.name = "values", .tensor = &values}});
      });
    }
  }
}

}  // namespace ds4::conformance
