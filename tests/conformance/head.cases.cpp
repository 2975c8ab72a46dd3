#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

void head_cases(Suite& suite) {
  over_dtypes(suite, DS4_ROLE_OUTPUT_HEAD, 40,
              [&](const std::string& label, std::uint32_t dtype, std::uint32_t usual_width,
                  const RowCase& rows) {
                suite.run(label, rows, [&](Case& c) {
                  const std::uint32_t streams = c.size({.usual = 4, .model = 4, .high = 6});
                  const std::uint32_t vocab = c.size({.usual = 37, .model = 129280});
                  const std::uint32_t width = c.width(dtype, usual_width, 4096);
                  const std::uint32_t fn_dtype = c.is_model() ? DS4_DTYPE_F16 : DS4_DTYPE_F32;
                  const std::uint32_t flat = streams * width;
                  auto op = c.op<ds4_op_head>(DS4_OP_HEAD);
                  const Weight& fn = c.weight(fn_dtype, DS4_ROLE_HC_MIX, {streams, flat}, 0.1);
                  const Weight& scale = c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {1}, 0.5, 1);
                  const Weight& base = c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {streams}, 1);
                  const Weight& gain = c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {width}, 0.2, 1);
                  const Weight& output = c.weight(dtype, DS4_ROLE_OUTPUT_HEAD, {vocab, width}, 0.1);
                  // Rows whose logits are wanted, in any order, from a step of more rows.
                  const std::uint32_t step_rows = rows.rows + 3;
                  const Tensor& x = c.input({step_rows, streams, width});
                  std::vector<std::int32_t> ids;
                  for (std::uint32_t i = 0; i < rows.rows; ++i) {
                    ids.push_back(static_cast<std::int32_t>(c.random().below(step_rows)));
                  }
                  const Tensor& logits = c.output(DS4_DTYPE_F32, {vocab});
                  op.fn = fn.handle;
                  op.scale = scale.handle;
                  op.base = base.handle;
                  op.gain = gain.handle;
                  op.output = output.handle;
                  op.x = x.view;
                  op.ids = c.ints({rows.rows}, ids).view;
                  op.logits = logits.view;
                  op.eps = 1e-6;
                  op.hc_eps = 1e-6;

                  const auto expected = [&](std::size_t row) {
                    const auto source = static_cast<std::size_t>(ids[row]);
                    const Estimate all = exact(std::span(x.values).subspan(source * flat, flat));
                    const Estimate raw = product(fn, normed(all, nullptr, op.eps));
                    const auto factor = static_cast<double>(scale.values[0]);
                    Estimate pre = logistic(sum(scaled(raw, factor), exact(base.row(0))));
                    for (double& value : pre.value) value += op.hc_eps;
                    return product(output, normed(mixed(pre, all, width), &gain, op.eps));
                  };
                  c.compare(op.op, {{.name = "logits", .tensor = &logits, .expected = expected}});
                });
              });
}

}  // namespace ds4::conformance
