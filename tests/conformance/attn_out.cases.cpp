#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

void attn_out_cases(Suite& suite) {
  over_dtypes(
      suite, DS4_ROLE_GROUPED, 32,
      [&](const std::string& label, std::uint32_t dtype, std::uint32_t width, const RowCase& rows) {
        suite.run(label, rows, [&](Case& c) {
          // `width` is the input of one group: two heads.
          constexpr std::uint32_t kGroups = 2;
          const std::uint32_t rank = width / 2;
          const std::uint32_t out = 24;
          auto op = c.op<ds4_op_attn_out>(DS4_OP_ATTN_OUT);
          const Weight& wo_a = c.weight(dtype, DS4_ROLE_GROUPED, {kGroups, rank, width}, 0.1);
          const Weight& wo_b = c.weight(dtype, DS4_ROLE_MATRIX, {out, kGroups * rank}, 0.1);
          const Tensor& o = c.input({rows.rows, 2 * kGroups, width / 2});
          const Tensor& y = c.output(DS4_DTYPE_F32, {out});
          op.wo_a = wo_a.handle;
          op.wo_b = wo_b.handle;
          op.o = o.view;
          op.y = y.view;
          op.groups = kGroups;
          op.rank = rank;
          const auto expected = [&](std::size_t row) {
            Estimate low;
            for (std::uint32_t g = 0; g < kGroups; ++g) {
              const std::span all(o.values);
              const Estimate part = exact(all.subspan((row * kGroups + g) * width, width));
              append(low, product(wo_a, part, g * rank, rank));
            }
            return product(wo_b, low);
          };
          c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
        });
      });
}

}  // namespace ds4::conformance
