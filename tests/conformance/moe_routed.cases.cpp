#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

namespace {

constexpr std::uint32_t kExperts = 5;
constexpr std::uint32_t kChosen = 3;

void run_case(Case& c, std::uint32_t dtype, std::uint32_t usual_width, double limit) {
  // Rows of 256 are whole blocks of every type.
  const bool is_coded = usual_width == 256;
  const std::uint32_t width = is_coded ? usual_width : c.extent(usual_width);
  const std::uint32_t inner = is_coded ? 256 : c.extent(24);
  const std::uint32_t rows = c.rows().rows;
  auto op = c.op<ds4_op_moe_routed>(DS4_OP_MOE_ROUTED);
  const Weight& gate = c.weight(dtype, DS4_ROLE_EXPERT_GATE, {kExperts, inner, width}, 0.1);
  const Weight& up = c.weight(dtype, DS4_ROLE_EXPERT_UP, {kExperts, inner, width}, 0.1);
  const Weight& down = c.weight(dtype, DS4_ROLE_EXPERT_DOWN, {kExperts, width, inner}, 0.1);
  // Experts repeat within a row; a row may have one expert less, or none.
  std::vector<std::int32_t> ids;
  for (std::uint32_t i = 0; i < rows * kChosen; ++i) {
    const bool is_left_out = i / kChosen % 4 == 3 || (i / kChosen % 4 == 1 && i % kChosen == 1);
    ids.push_back(is_left_out ? -1 : static_cast<std::int32_t>(c.random().below(kExperts)));
  }
  const Tensor& v = c.input({rows, width});
  const Tensor& weights = c.input({rows, kChosen});
  const Tensor& y = c.output(DS4_DTYPE_F32, {width});
  op.gate = gate.handle;
  op.up = up.handle;
  op.down = down.handle;
  op.v = v.view;
  op.ids = c.ints({rows, kChosen}, ids).view;
  op.weights = weights.view;
  op.y = y.view;
  op.limit = limit;
  op.inner = inner;

  const auto expected = [&](std::size_t row) {
    const Estimate x = exact(v.vector(row));
    Estimate total{std::vector<double>(width, 0), std::vector<double>(width, 0)};
    for (std::uint32_t k = 0; k < kChosen; ++k) {
      const std::int32_t id = ids[row * kChosen + k];
      if (id < 0) continue;
      const std::size_t e = static_cast<std::size_t>(id);
      const Estimate middle =
          gated(product(gate, x, e * inner, inner), product(up, x, e * inner, inner), op.limit);
      const auto weight = static_cast<double>(weights.values[row * kChosen + k]);
      total = sum(total, product(down, scaled(middle, weight), e * width, width));
    }
    return total;
  };
  c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
}

}  // namespace

void moe_routed_cases(Suite& suite) {
  over_dtypes(
      suite, DS4_ROLE_EXPERT_GATE, 40,
      [&](const std::string& label, std::uint32_t dtype, std::uint32_t width, const RowCase& rows) {
        suite.run(label + ", limit 0.5", rows, [&](Case& c) { run_case(c, dtype, width, 0.5); });
        if (dtype != DS4_DTYPE_F32) return;
        suite.run(label + ", no limit", rows, [&](Case& c) { run_case(c, dtype, width, 0); });
      });
}

}  // namespace ds4::conformance
