#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

namespace {

void run_case(Case& c, std::uint32_t dtype, std::uint32_t usual_width, bool is_yarn) {
  constexpr std::uint32_t kHeads = 3;
  constexpr std::uint32_t kHeadDim = 32;
  constexpr std::uint32_t kRotated = 16;
  const bool is_coded = usual_width == 256;
  const std::uint32_t width = is_coded ? usual_width : c.extent(usual_width);
  const std::uint32_t rank = is_coded ? 256 : c.extent(24);
  auto op = c.op<ds4_op_q_project>(DS4_OP_Q_PROJECT);
  const Weight& wq_a = c.weight(dtype, DS4_ROLE_MATRIX, {rank, width}, 0.1);
  const Weight& gain = c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {rank}, 0.2, 1);
  const Weight& wq_b = c.weight(dtype, DS4_ROLE_MATRIX, {kHeads * kHeadDim, rank}, 0.1);
  const Tensor& u = c.input({c.rows().rows, width});
  const Tensor& qr = c.output(DS4_DTYPE_F32, {rank});
  const Tensor& q = c.output(DS4_DTYPE_F32, {kHeads, kHeadDim});
  op.wq_a = wq_a.handle;
  op.gain = gain.handle;
  op.wq_b = wq_b.handle;
  op.u = u.view;
  const std::vector<std::int32_t> at = positions(c, c.rows().rows);
  op.positions = c.ints({c.rows().rows}, at).view;
  op.qr = qr.view;
  op.q = q.view;
  op.rope = rope(kRotated, is_yarn);
  op.eps = 1e-2;

  const auto low = [&](std::size_t row) {
    return normed(product(wq_a, exact(u.vector(row))), &gain, op.eps);
  };
  const auto high = [&](std::size_t row) {
    const Estimate raw = product(wq_b, low(row));
    Estimate all;
    for (std::uint32_t h = 0; h < kHeads; ++h) {
      const Estimate head = normed(slice(raw, h * kHeadDim, kHeadDim), nullptr, op.eps);
      append(all, rotated(head, op.rope, at[row]));
    }
    return all;
  };
  c.compare(op.op, {{.name = "qr", .tensor = &qr, .expected = low},
                    {.name = "q", .tensor = &q, .expected = high}});
}

}  // namespace

void q_project_cases(Suite& suite) {
  for (const bool is_yarn : {false, true}) {
    const std::string kind = is_yarn ? "yarn rope, " : "plain rope, ";
    for (const RowCase& rows : suite.rows()) {
      suite.run(kind + "f32 width 40", rows,
                [&](Case& c) { run_case(c, DS4_DTYPE_F32, 40, is_yarn); });
    }
  }
  for (const std::uint32_t dtype : accepted_dtypes(suite, DS4_ROLE_MATRIX)) {
    // Both row choices hold rows that end a tile of 2, 4 or 8.
    for (const RowCase& rows : {suite.short_rows()[1], suite.short_rows()[3]}) {
      suite.run(std::string(view_dtype_name(dtype)) + " width 256", rows,
                [&](Case& c) { run_case(c, dtype, 256, true); });
    }
  }
}

}  // namespace ds4::conformance
