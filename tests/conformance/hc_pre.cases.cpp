#include <cmath>

#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

namespace {

struct Shape {
  std::uint32_t streams;
  std::uint32_t width;
  std::uint32_t dtype;
};

void run_case(Case& c, const Shape& shape) {
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

  // |d mix| <= eps * sqrt(terms) * |fn row| * |unit row|; the unit row has norm sqrt(flat).
  const double mix = max_row_norm(fn) * std::sqrt(static_cast<double>(flat));
  const auto slope = [&](std::size_t i) {
    return mix * std::abs(static_cast<double>(scale.values[i]));
  };
  const auto y_bound = per_row([&](std::size_t row) {
    std::vector<double> all;
    for (std::uint32_t s = 0; s < streams; ++s) {
      const auto part = widen(x.vector(row * streams + s));
      all.insert(all.end(), part.begin(), part.end());
    }
    const auto m = product(fn, normed(all, nullptr, op.eps), 0, streams);
    std::vector<double> mixed(shape.width, 0);
    std::vector<double> reach(shape.width, 0);
    for (std::uint32_t s = 0; s < streams; ++s) {
      const double pre = sigmoid(m[s] * static_cast<double>(scale.values[0]) +
                                 static_cast<double>(base.values[s])) +
                         op.hc_eps;
      for (std::uint32_t d = 0; d < shape.width; ++d) {
        mixed[d] += pre * all[s * shape.width + d];
        reach[d] += (pre + slope(0) / 4) * std::abs(all[s * shape.width + d]);
      }
    }
    const double r = rms(mixed, op.eps);
    const double relative = norm2(reach) / (r * std::sqrt(static_cast<double>(shape.width)));
    std::vector<double> bound(shape.width);
    for (std::uint32_t d = 0; d < shape.width; ++d) {
      bound[d] = std::abs(static_cast<double>(gain.values[d])) *
                 (reach[d] + std::abs(mixed[d]) * (1 + relative)) / r;
    }
    return bound;
  });
  const auto terms = static_cast<double>(flat);
  c.compare(op.op, {{.name = "y", .tensor = &y, .norm = y_bound, .terms = terms},
                    {.name = "post",
                     .tensor = &post,
                     .norm = [&](std::size_t, std::size_t) { return 2 + slope(1); },
                     .terms = terms},
                    {.name = "comb",
                     .tensor = &comb,
                     .norm = [&](std::size_t, std::size_t) { return 2 * 20 + 2 * slope(2); },
                     .terms = terms}});
}

}  // namespace

void hc_pre_cases(Suite& suite) {
  for (const RowCase& rows : row_grid()) {
    suite.run("4 streams of 64, f32", rows, [](Case& c) { run_case(c, {4, 64, DS4_DTYPE_F32}); });
  }
  for (const RowCase& rows : short_row_grid()) {
    suite.run("4 streams of 48, f16", rows, [](Case& c) { run_case(c, {4, 48, DS4_DTYPE_F16}); });
    suite.run("2 streams of 40, f32", rows, [](Case& c) { run_case(c, {2, 40, DS4_DTYPE_F32}); });
  }
}

}  // namespace ds4::conformance
