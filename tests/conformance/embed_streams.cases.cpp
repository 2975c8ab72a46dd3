#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

void embed_streams_cases(Suite& suite) {
  over_dtypes(suite, DS4_ROLE_EMBEDDING, 48,
              [&](const std::string& label, std::uint32_t dtype, std::uint32_t usual_width,
                  const RowCase& rows) {
                suite.run(label, rows, [&](Case& c) {
                  const std::uint32_t vocab = c.size({.usual = 11, .model = 129280, .high = 40});
                  const std::uint32_t streams = c.size({.usual = 4, .model = 4, .high = 6});
                  const std::uint32_t width = c.width(dtype, usual_width, 4096);
                  auto op = c.op<ds4_op_embed_streams>(DS4_OP_EMBED_STREAMS);
                  std::vector<std::int32_t> tokens;
                  for (std::uint32_t i = 0; i < rows.rows; ++i) {
                    tokens.push_back(static_cast<std::int32_t>(c.random().below(vocab)));
                  }
                  const Weight& weight = c.weight(dtype, DS4_ROLE_EMBEDDING, {vocab, width});
                  op.weight = weight.handle;
                  op.tokens = c.ints({rows.rows}, tokens).view;
                  const Tensor& x = c.output(DS4_DTYPE_F32, {streams, width});
                  op.x = x.view;
                  const auto expected = [&](std::size_t row) {
                    Estimate all;
                    for (std::uint32_t s = 0; s < streams; ++s) {
                      append(all, exact(weight.row(static_cast<std::size_t>(tokens[row]))));
                    }
                    return all;
                  };
                  c.compare(op.op, {{.name = "x", .tensor = &x, .expected = expected}});
                });
              });
}

}  // namespace ds4::conformance
