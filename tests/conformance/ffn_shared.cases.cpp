#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

namespace {

void run_case(Case& c, std::uint32_t dtype, std::uint32_t usual_width, bool accumulates) {
  const std::uint32_t width = c.width(dtype, usual_width, 4096);
  const std::uint32_t inner = c.width(dtype, usual_width == 256 ? 256 : 24, 2048);
  auto op = c.op<ds4_op_ffn_shared>(DS4_OP_FFN_SHARED, accumulates ? DS4_MATMUL_ACCUMULATE : 0);
  const Weight& gate = c.weight(dtype, DS4_ROLE_MATRIX, {inner, width}, 0.1);
  const Weight& up = c.weight(dtype, DS4_ROLE_MATRIX, {inner, width}, 0.1);
  const Weight& down = c.weight(dtype, DS4_ROLE_MATRIX, {width, inner}, 0.1);
  const Tensor& v = c.input({c.rows().rows, width});
  const Tensor& y = accumulates ? c.accumulator({width}) : c.output(DS4_DTYPE_F32, {width});
  op.gate = gate.handle;
  op.up = up.handle;
  op.down = down.handle;
  op.v = v.view;
  op.y = y.view;
  op.limit = c.is_model() ? 10 : 0.5;
  op.inner = inner;
  const auto expected = [&](std::size_t row) {
    const Estimate x = exact(v.vector(row));
    const Estimate y_part = product(down, gated(product(gate, x), product(up, x), op.limit));
    if (!accumulates) return y_part;
    return sum(y_part, exact(y.vector(row - c.rows().tile_first)));
  };
  c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
}

}  // namespace

void ffn_shared_cases(Suite& suite) {
  over_dtypes(
      suite, DS4_ROLE_MATRIX, 40,
      [&](const std::string& label, std::uint32_t dtype, std::uint32_t width, const RowCase& rows) {
        if (suite.is_model() && dtype != DS4_DTYPE_Q8_0) return;
        suite.run(label + ", added", rows, [&](Case& c) { run_case(c, dtype, width, true); });
        if (dtype != DS4_DTYPE_F32) return;
        suite.run(label + ", stored", rows, [&](Case& c) { run_case(c, dtype, width, false); });
      });
}

}  // namespace ds4::conformance
