#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tests/conformance/cases.hpp"
#include "tests/conformance/tolerances.hpp"

namespace ds4::conformance {

namespace {

enum class Choice { scored, biased, hashed };

void run_case(Case& c, std::uint32_t dtype, std::uint32_t usual_width, Choice choice) {
  const std::uint32_t experts = c.size({.usual = 16, .model = 256, .low = 7, .high = 40});
  const std::uint32_t used = 6;
  const std::uint32_t vocab = c.size({.usual = 9, .model = 129280, .high = 30});
  const std::uint32_t width = c.width(dtype, usual_width, 4096);
  const std::uint32_t rows = c.rows().rows;
  auto op = c.op<ds4_op_route>(DS4_OP_ROUTE);
  const Weight& gate = c.weight(dtype, DS4_ROLE_ROUTER, {experts, width}, 0.2);
  std::vector<float> bias(experts, 0);
  if (choice == Choice::biased) {
    const Weight& weight = c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {experts}, 0.3);
    bias = weight.values;
    op.bias = weight.handle;
  }
  const Weight* hashed = nullptr;
  std::vector<std::int32_t> tokens;
  if (choice == Choice::hashed) {
    // Ids of a hash row may repeat; -1 names nobody.
    hashed = &c.id_table(vocab, used, experts);
    op.table = hashed->handle;
    for (std::uint32_t i = 0; i < rows; ++i) {
      tokens.push_back(static_cast<std::int32_t>(c.random().below(vocab)));
    }
    op.tokens = c.ints({rows}, tokens).view;
  }
  const Tensor& v = c.input({rows, width});
  const Tensor& ids = c.output(DS4_DTYPE_I32, {used});
  const Tensor& weights = c.output(DS4_DTYPE_F32, {used});
  op.gate = gate.handle;
  op.v = v.view;
  op.ids = ids.view;
  op.weights = weights.view;
  // Sums of the six scores lie on both sides of 6.
  op.floor = rows % 2 == 0 ? 0x1p-14 : 6;
  op.scale = 1.5;
  op.experts = experts;

  struct Scores {
    Estimate p;
    std::vector<double> biased;
  };
  const auto scores_of = [&](std::size_t row) {
    Scores s{product(gate, exact(v.vector(row))), {}};
    for (std::uint32_t e = 0; e < experts; ++e) {
      const double z = s.p.value[e];
      const double root = std::sqrt(z > 20 ? z : std::log1p(std::exp(z)));
      // d root / d z = sigmoid(z) / (2 root); exp, log1p and sqrt round once each.
      // Far below 0 the root is exp(z / 2), which may be 0, and the quotient root / 2.
      const double slope = root > 0 ? sigmoid(z) / (2 * root) : 0;
      s.p.error[e] = std::hypot(s.p.error[e] * slope, 2 * root);
      s.p.value[e] = root;
      s.biased.push_back(root + static_cast<double>(bias[e]));
    }
    return s;
  };
  const auto chosen = [&](std::size_t row) {
    std::vector<std::int32_t> best(experts);
    if (choice == Choice::hashed) {
      best.clear();
      for (const float id : hashed->row(static_cast<std::size_t>(tokens[row]))) {
        best.push_back(static_cast<std::int32_t>(id));
      }
      return best;
    }
    std::iota(best.begin(), best.end(), 0);
    const auto biased = scores_of(row).biased;
    std::stable_sort(best.begin(), best.end(), [&](std::int32_t a, std::int32_t b) {
      return biased[static_cast<std::size_t>(a)] > biased[static_cast<std::size_t>(b)];
    });
    best.resize(used);
    return best;
  };
  const auto expected = [&](std::size_t row) {
    const Scores s = scores_of(row);
    Estimate taken;
    double total = 0;
    double squares = 0;
    for (const std::int32_t id : chosen(row)) {
      if (id < 0) {
        append(taken, {{0}, {0}});
        continue;
      }
      const auto e = static_cast<std::size_t>(id);
      append(taken, slice(s.p, e, 1));
      total += s.p.value[e];
      squares += s.p.error[e] * s.p.error[e] + used * s.p.value[e] * s.p.value[e];
    }
    const double divisor = std::max(total, op.floor);
    const double share = std::sqrt(squares) / divisor;
    for (std::size_t k = 0; k < taken.value.size(); ++k) {
      const double weight = taken.value[k] / divisor * op.scale;
      taken.error[k] = std::hypot(taken.error[k] / divisor * op.scale, share * weight, 2 * weight);
      taken.value[k] = weight;
    }
    return taken;
  };
  // Two experts may change places when their scores differ by less than both can be off.
  const auto may_swap = [&](std::size_t row, std::int32_t a, std::int32_t b) {
    if (choice == Choice::hashed || a < 0 || b < 0) return false;
    const Scores s = scores_of(row);
    const auto i = static_cast<std::size_t>(a);
    const auto j = static_cast<std::size_t>(b);
    // Below the root of the smallest normal number a score may vanish, and then ties with those
    // that are 0 here too.
    const double least = std::sqrt(static_cast<double>(std::numeric_limits<float>::min()));
    if (std::max(std::abs(s.biased[i]), std::abs(s.biased[j])) <= least) return true;
    const double limit =
        std::max(4 * kEpsF32 *
                     std::hypot(s.p.error[i], s.p.error[j],
                                std::max(std::abs(s.biased[i]), std::abs(s.biased[j]))),
                 least);
    // Equal inputs are a tie that both roads see, and the lower id wins it.
    return s.biased[i] != s.biased[j] && std::abs(s.biased[i] - s.biased[j]) <= limit;
  };
  c.compare(op.op, {{.name = "ids", .tensor = &ids, .ids = chosen, .may_swap = may_swap},
                    {.name = "weights", .tensor = &weights, .expected = expected}});
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
