#include <cmath>

#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

namespace {

constexpr std::uint32_t kExperts = 16;
constexpr std::uint32_t kChosen = 6;
constexpr std::uint32_t kVocab = 9;

enum class Choice { scored, biased, hashed };

void run_case(Case& c, std::uint32_t dtype, std::uint32_t width, Choice choice) {
  const std::uint32_t rows = c.rows().rows;
  auto op = c.op<ds4_op_route>(DS4_OP_ROUTE);
  const Weight& gate = c.weight(dtype, DS4_ROLE_ROUTER, {kExperts, width}, 0.2);
  std::vector<float> bias(kExperts, 0);
  if (choice == Choice::biased) {
    const Weight& weight = c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {kExperts}, 0.3);
    bias = weight.values;
    op.bias = weight.handle;
  }
  if (choice == Choice::hashed) {
    // Ids of a hash row may repeat.
    op.table = c.id_table(kVocab, kChosen, kExperts).handle;
    std::vector<std::int32_t> tokens;
    for (std::uint32_t i = 0; i < rows; ++i) {
      tokens.push_back(static_cast<std::int32_t>(c.random().below(kVocab)));
    }
    op.tokens = c.ints({rows}, tokens).view;
  }
  const Tensor& v = c.input({rows, width});
  const Tensor& ids = c.output(DS4_DTYPE_I32, {kChosen});
  const Tensor& weights = c.output(DS4_DTYPE_F32, {kChosen});
  op.gate = gate.handle;
  op.v = v.view;
  op.ids = ids.view;
  op.weights = weights.view;
  op.floor = 0x1p-14;
  op.scale = 1.5;
  op.experts = kExperts;

  const auto chain = [&](std::size_t row) { return max_row_norm(gate) * norm2(v.vector(row)); };
  // The slope of log sqrt(softplus) is at most 1/2; a weight is at most `scale`.
  const auto bound =
      per_row([&](std::size_t row) { return std::vector{op.scale * (2 + chain(row))}; });
  // Two experts may change places when their scores differ by less than both can be off.
  const auto may_swap = [&](std::size_t row, std::int32_t a, std::int32_t b) {
    if (choice == Choice::hashed || a < 0 || b < 0) return false;
    const auto logits = product(gate, widen(v.vector(row)));
    const auto score = [&](std::int32_t e) {
      const double z = logits[static_cast<std::size_t>(e)];
      return std::sqrt(z > 20 ? z : std::log1p(std::exp(z))) +
             static_cast<double>(bias[static_cast<std::size_t>(e)]);
    };
    const double limit =
        0x1p-21 * std::sqrt(1.0 * width) * (1 + chain(row)) * (1 + std::max(score(a), score(b)));
    // Equal inputs are a tie that both roads see, and the lower id wins it.
    return score(a) != score(b) && std::abs(score(a) - score(b)) <= limit;
  };
  c.compare(op.op, {{.name = "ids", .tensor = &ids, .may_swap = may_swap},
                    {.name = "weights", .tensor = &weights, .norm = bound, .terms = 1.0 * width}});
}

}  // namespace

void route_cases(Suite& suite) {
  for (const auto& [name, choice] :
       {std::pair{"scored", Choice::scored}, std::pair{"biased", Choice::biased},
        std::pair{"hashed", Choice::hashed}}) {
    over_dtypes(suite, DS4_ROLE_ROUTER, 40,
                [&](const std::string& label, std::uint32_t dtype, std::uint32_t width,
                    const RowCase& rows) {
                  suite.run(std::string(name) + ", " + label, rows,
                            [&](Case& c) { run_case(c, dtype, width, choice); });
                });
  }
}

}  // namespace ds4::conformance
