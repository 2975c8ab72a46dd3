#include <algorithm>
#include <set>

#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

namespace {

void run_case(Case& c, std::uint32_t dtype, std::uint32_t usual_width, double limit) {
  const std::uint32_t experts = c.size({.usual = 5, .model = 256, .high = 12});
  const std::uint32_t chosen = c.is_model() ? 6 : 3;
  const std::uint32_t width = c.width(dtype, usual_width, 4096);
  const std::uint32_t inner = c.width(dtype, usual_width == 256 ? 256 : 24, 2048);
  const std::uint32_t down_dtype = c.is_model() ? model_down_dtype(dtype) : dtype;
  const std::uint32_t rows = c.rows().rows;
  auto op = c.op<ds4_op_moe_routed>(DS4_OP_MOE_ROUTED);
  const Weight& gate = c.weight(dtype, DS4_ROLE_EXPERT_GATE, {experts, inner, width}, 0.1);
  const Weight& up = c.weight(dtype, DS4_ROLE_EXPERT_UP, {experts, inner, width}, 0.1);
  const Weight& down = c.weight(down_dtype, DS4_ROLE_EXPERT_DOWN, {experts, width, inner}, 0.1);
  // Experts repeat within a row; a row may have one expert less, or none.
  std::vector<std::int32_t> ids;
  for (std::uint32_t i = 0; i < rows * chosen; ++i) {
    const bool is_left_out = i / chosen % 4 == 3 || (i / chosen % 4 == 1 && i % chosen == 1);
    ids.push_back(is_left_out ? -1 : static_cast<std::int32_t>(c.random().below(experts)));
  }
  const Tensor& v = c.input({rows, width});
  const Tensor& weights = c.input({rows, chosen});
  const Tensor& y = c.output(DS4_DTYPE_F32, {width});
  op.gate = gate.handle;
  op.up = up.handle;
  op.down = down.handle;
  op.v = v.view;
  op.ids = c.ints({rows, chosen}, ids).view;
  op.weights = weights.view;
  op.y = y.view;
  op.limit = limit;
  op.inner = inner;

  const std::set<std::int32_t> used(ids.begin(), ids.end());
  const double each = static_cast<double>(gate.bytes + up.bytes + down.bytes) / experts;
  const double distinct = static_cast<double>(used.size() - used.count(-1));
  const auto pairs =
      static_cast<double>(ids.size()) - static_cast<double>(std::count(ids.begin(), ids.end(), -1));
  c.add_work(distinct * each, pairs * 6 * width * inner);

  const auto expected = [&](std::size_t row) {
    const Estimate x = exact(v.vector(row));
    Estimate total{std::vector<double>(width, 0), std::vector<double>(width, 0)};
    for (std::uint32_t k = 0; k < chosen; ++k) {
      const std::int32_t id = ids[row * chosen + k];
      if (id < 0) continue;
      const std::size_t e = static_cast<std::size_t>(id);
      const Estimate middle =
          gated(product(gate, x, e * inner, inner), product(up, x, e * inner, inner), op.limit);
      const auto weight = static_cast<double>(weights.values[row * chosen + k]);
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
        if (!takes_experts(suite, dtype)) return;
        // Experts are gigabytes: of the rarer types one kind of rows will do.
        if (suite.is_model()) {
          if (dtype != DS4_DTYPE_IQ2_XXS && rows.rows != suite.rows()[0].rows) return;
          suite.run(label, rows, [&](Case& c) { run_case(c, dtype, width, 10); });
          return;
        }
        suite.run(label + ", limit 0.5", rows, [&](Case& c) { run_case(c, dtype, width, 0.5); });
        if (dtype != DS4_DTYPE_F32) return;
        suite.run(label + ", no limit", rows, [&](Case& c) { run_case(c, dtype, width, 0); });
      });
}

}  // namespace ds4::conformance
