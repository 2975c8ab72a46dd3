#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

void compress_project_cases(Suite& suite) {
  over_dtypes(suite, DS4_ROLE_MATRIX, 40,
              [&](const std::string& label, std::uint32_t dtype, std::uint32_t usual_width,
                  const RowCase& rows) {
                if (suite.is_model() && dtype != DS4_DTYPE_F16) return;
                for (const std::uint32_t ratio : {4U, 128U}) {
                  suite.run(label + ", ratio " + std::to_string(ratio), rows, [&](Case& c) {
                    const std::uint32_t columns =
                        c.size({.usual = 24, .model = ratio == 4 ? 1024U : 512U, .high = 96});
                    const std::uint32_t width = c.width(dtype, usual_width, 4096);
                    auto op = c.op<ds4_op_compress_project>(DS4_OP_COMPRESS_PROJECT);
                    const Weight& wkv = c.weight(dtype, DS4_ROLE_MATRIX, {columns, width}, 0.1);
                    const Weight& wgate = c.weight(dtype, DS4_ROLE_MATRIX, {columns, width}, 0.1);
                    const Weight& ape =
                        c.weight(DS4_DTYPE_F32, DS4_ROLE_WINDOW_TABLE, {ratio, columns}, 0.5);
                    const Tensor& u = c.input({rows.rows, width});
                    std::vector<std::int32_t> window;
                    const std::uint32_t start = c.random().below(1000);
                    for (std::uint32_t i = 0; i < rows.rows; ++i) {
                      window.push_back(static_cast<std::int32_t>((start + i) % ratio));
                    }
                    const Tensor& pairs = c.output(DS4_DTYPE_F32, {2 * columns});
                    op.wkv = wkv.handle;
                    op.wgate = wgate.handle;
                    op.ape = ape.handle;
                    op.u = u.view;
                    op.ape_rows = c.ints({rows.rows}, window).view;
                    op.pairs = pairs.view;
                    const auto expected = [&](std::size_t row) {
                      const Estimate x = exact(u.vector(row));
                      Estimate both = product(wkv, x);
                      const auto offset = ape.row(static_cast<std::size_t>(window[row]));
                      append(both, sum(product(wgate, x), exact(offset)));
                      return both;
                    };
                    c.compare(op.op, {{.name = "pairs", .tensor = &pairs, .expected = expected}});
                  });
                }
              });
}

}  // namespace ds4::conformance
