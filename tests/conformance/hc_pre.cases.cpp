#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

namespace {

struct Usual {
  std::uint32_t streams;
  std::uint32_t width;
  std::uint32_t dtype;
};

void run_case(Case& c, const Usual& usual) {
  const Usual shape{c.size({.usual = usual.streams, .model = 4, .low = 2, .high = 6}),
                    c.width(usual.dtype, usual.width, 4096), usual.dtype};
  const std::uint32_t streams = shape.streams;
  const std::uint32_t mixes = (2 + streams) * streams;
  const std::uint32_t flat = streams * shape.width;
  auto op = c.op<ds4_op_hc_pre>(DS4_OP_HC_PRE);
  const Weight& fn = c.weight(shape.dtype, DS4_ROLE_HC_MIX, {mixes, flat}, 0.1);
  const Weight& scale = c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {3}, 0.5, 1);
  const Weight& base = c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {mixes}, 1);
  const Weight& gain = c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {shape.width}, 0.2, 1);
  const Tensor& x = c.input({c.rows().rows, streams, shape.width});
  const Tensor& y = c.output(DS4_DTYPE_F32, {shape.width});
  const Tensor& post = c.output(DS4_DTYPE_F32, {streams});
  const Tensor& comb = c.output(DS4_DTYPE_F32, {streams, streams});
  op.fn = fn.handle;
  op.scale = scale.handle;
  op.base = base.handle;
  op.gain = gain.handle;
  op.x = x.view;
  op.y = y.view;
  op.post = post.view;
  op.comb = comb.view;
  op.eps = 1e-6;
  op.hc_eps = 1e-6;
  op.iterations = 20;

  const auto streams_of = [&](std::size_t row) {
    return exact(std::span(x.values).subspan(row * flat, flat));
  };
  // Group 0 is pre, 1 is post, 2 is comb.
  const auto mixes_of = [&](std::size_t row, std::uint32_t group) {
    const std::uint32_t first = group * streams;
    const std::uint32_t count = group == 2 ? streams * streams : streams;
    const Estimate raw = product(fn, normed(streams_of(row), nullptr, op.eps), first, count);
    const Estimate offset = slice(exact(base.row(0)), first, count);
    return sum(scaled(raw, static_cast<double>(scale.values[group])), offset);
  };
  const auto y_of = [&](std::size_t row) {
    Estimate pre = logistic(mixes_of(row, 0));
    for (double& value : pre.value) value += op.hc_eps;
    return normed(mixed(pre, streams_of(row), shape.width), &gain, op.eps);
  };
  const auto post_of = [&](std::size_t row) { return scaled(logistic(mixes_of(row, 1)), 2); };
  const auto comb_of = [&](std::size_t row) {
    return balanced(mixes_of(row, 2), streams, op.iterations, op.hc_eps);
  };
  c.compare(op.op, {{.name = "y", .tensor = &y, .expected = y_of},
                    {.name = "post", .tensor = &post, .expected = post_of},
                    {.name = "comb", .tensor = &comb, .expected = comb_of}});
}

}  // namespace

void hc_pre_cases(Suite& suite) {
  for (const RowCase& rows : suite.is_model() ? suite.rows() : std::vector<RowCase>{}) {
    suite.run("f16 of Flash", rows, [](Case& c) { run_case(c, {4, 64, DS4_DTYPE_F16}); });
  }
  if (suite.is_model()) return;
  for (const RowCase& rows : suite.rows()) {
    suite.run("4 streams of 64, f32", rows, [](Case& c) { run_case(c, {4, 64, DS4_DTYPE_F32}); });
  }
  for (const RowCase& rows : suite.short_rows()) {
    suite.run("4 streams of 48, f16", rows, [](Case& c) { run_case(c, {4, 48, DS4_DTYPE_F16}); });
    suite.run("2 streams of 40, f32", rows, [](Case& c) { run_case(c, {2, 40, DS4_DTYPE_F32}); });
  }
}

}  // namespace ds4::conformance
