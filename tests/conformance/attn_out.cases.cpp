#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

void attn_out_cases(Suite& suite) {
  over_dtypes(
      suite, DS4_ROLE_GROUPED, 32,
      [&](const std::string& label, std::uint32_t dtype, std::uint32_t usual_width,
          const RowCase& rows) {
        suite.run(label, rows, [&](Case& c) {
          // The input of a group: two heads, of Flash eight.
          const std::uint32_t width = c.width(dtype, usual_width, 4096);
          const std::uint32_t groups = c.size({.usual = 2, .model = 8, .high = 4});
          const std::uint32_t heads = c.is_model() ? 8 : width % 2 == 0 ? 2 : 1;
          // All ranks together are the width of the second weight: whole blocks.
          const std::uint32_t rank = c.width(dtype, usual_width / 2, 1024);
          const std::uint32_t out = c.size({.usual = 24, .model = 4096});
          auto op = c.op<ds4_op_attn_out>(DS4_OP_ATTN_OUT);
          const Weight& wo_a = c.weight(dtype, DS4_ROLE_GROUPED, {groups, rank, width}, 0.1);
          const Weight& wo_b = c.weight(dtype, DS4_ROLE_MATRIX, {out, groups * rank}, 0.1);
          const Tensor& o = c.input({rows.rows, groups * heads, width / heads});
          const Tensor& y = c.output(DS4_DTYPE_F32, {out});
          op.wo_a = wo_a.handle;
          op.wo_b = wo_b.handle;
          op.o = o.view;
          op.y = y.view;
          op.groups = groups;
          op.rank = rank;
          const auto expected = [&](std::size_t row) {
            Estimate low;
            for (std::uint32_t g = 0; g < groups; ++g) {
              const std::span all(o.values);
              const Estimate part = exact(all.subspan((row * groups + g) * width, width));
              append(low, product(wo_a, part, g * rank, rank));
            }
            return product(wo_b, low);
          };
          c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
        });
      });
}

}  // namespace ds4::conformance
