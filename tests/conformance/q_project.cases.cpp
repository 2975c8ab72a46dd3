#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

namespace {

void run_case(Case& c, std::uint32_t dtype, std::uint32_t usual_width, bool is_yarn) {
  const std::uint32_t heads = c.size({.usual = 3, .model = 64, .high = 9});
  const std::uint32_t head_dim =
      c.size({.usual = 32, .model = 512, .low = 16, .unit = 2, .high = 96});
  const std::uint32_t turned = c.is_model() ? 64 : 16;
  const std::uint32_t width = c.width(dtype, usual_width, 4096);
  const std::uint32_t rank = c.width(dtype, usual_width == 256 ? 256 : 24, 1024);
  auto op = c.op<ds4_op_q_project>(DS4_OP_Q_PROJECT);
  const Weight& wq_a = c.weight(dtype, DS4_ROLE_MATRIX, {rank, width}, 0.1);
  const Weight& gain = c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {rank}, 0.2, 1);
  const Weight& wq_b = c.weight(dtype, DS4_ROLE_MATRIX, {heads * head_dim, rank}, 0.1);
  const Tensor& u = c.input({c.rows().rows, width});
  const Tensor& qr = c.output(DS4_DTYPE_F32, {rank});
  const Tensor& q = c.output(DS4_DTYPE_F32, {heads, head_dim});
  op.wq_a = wq_a.handle;
  op.gain = gain.handle;
  op.wq_b = wq_b.handle;
  op.u = u.view;
  const std::vector<std::int32_t> at = positions(c, c.rows().rows);
  op.positions = c.ints({c.rows().rows}, at).view;
  op.qr = qr.view;
  op.q = q.view;
  op.rope = rope(turned, is_yarn);
  op.eps = c.is_model() ? 1e-6 : 1e-2;

  const auto low = [&](std::size_t row) {
    return normed(product(wq_a, exact(u.vector(row))), &gain, op.eps);
  };
  const auto high = [&](std::size_t row) {
    const Estimate raw = product(wq_b, low(row));
    Estimate all;
    for (std::uint32_t h = 0; h < heads; ++h) {
      const Estimate head = normed(slice(raw, h * head_dim, head_dim), nullptr, op.eps);
      append(all, rotated(head, op.rope, at[row]));
    }
    return all;
  };
  c.compare(op.op, {{.name = "qr", .tensor = &qr, .expected = low},
                    {.name = "q", .tensor = &q, .expected = high}});
}

}  // namespace

void q_project_cases(Suite& suite) {
  for (const RowCase& rows : suite.is_model() ? suite.rows() : std::vector<RowCase>{}) {
    for (const bool is_yarn : {false, true}) {
      suite.run(is_yarn ? "q8_0 of Flash, yarn rope" : "q8_0 of Flash, plain rope", rows,
                [&](Case& c) { run_case(c, DS4_DTYPE_Q8_0, 256, is_yarn); });
    }
  }
  if (suite.is_model()) return;
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
