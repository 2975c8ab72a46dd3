#include <cmath>

#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

namespace {

/// Logits of a few whole numbers, so that the largest one is met more than once.
void run_case(Case& c, bool has_column) {
  const std::uint32_t vocab = c.size({.usual = 41, .model = 129280, .high = 2000});
  auto op = c.op<ds4_op_sample>(DS4_OP_SAMPLE_ARGMAX);
  const Tensor& ids = has_column ? c.output(DS4_DTYPE_I32, {1}) : c.output(DS4_DTYPE_I32, {});
  const Tensor& x = c.ties({c.rows().rows, vocab});
  op.x = x.view;
  op.ids = ids.view;
  const auto best = [&](std::size_t row) { return largest(x.vector(row), 1); };
  c.compare(op.op, {{.name = "ids", .tensor = &ids, .ids = best}});
}

}  // namespace

void sample_argmax_cases(Suite& suite) {
  for (const RowCase& rows : suite.rows()) {
    suite.run("ids [rows]", rows, [](Case& c) { run_case(c, false); });
    suite.run("ids [rows, 1]", rows, [](Case& c) { run_case(c, true); });
  }
}

}  // namespace ds4::conformance
