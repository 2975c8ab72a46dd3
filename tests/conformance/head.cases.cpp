#include <cmath>

#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

void head_cases(Suite& suite) {
  constexpr std::uint32_t kStreams = 4;
  constexpr std::uint32_t kVocab = 37;
  over_dtypes(
      suite, DS4_ROLE_OUTPUT_HEAD, 40,
      [&](const std::string& label, std::uint32_t dtype, std::uint32_t width, const RowCase& rows) {
        suite.run(label, rows, [&](Case& c) {
          const std::uint32_t flat = kStreams * width;
          auto op = c.op<ds4_op_head>(DS4_OP_HEAD);
          const Weight& fn = c.weight(DS4_DTYPE_F32, DS4_ROLE_HC_MIX, {kStreams, flat}, 0.1);
          const Weight& scale = c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {1}, 0.5, 1);
          const Weight& base = c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {kStreams}, 1);
          const Weight& gain = c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {width}, 0.2, 1);
          const Weight& output = c.weight(dtype, DS4_ROLE_OUTPUT_HEAD, {kVocab, width}, 0.1);
          // Rows whose logits are wanted, in any order, from a step of more rows.
          const std::uint32_t step_rows = rows.rows + 3;
          const Tensor& x = c.input({step_rows, kStreams, width});
          std::vector<std::int32_t> ids;
          for (std::uint32_t i = 0; i < rows.rows; ++i) {
            ids.push_back(static_cast<std::int32_t>(c.random().below(step_rows)));
          }
          const Tensor& logits = c.output(DS4_DTYPE_F32, {kVocab});
          op.fn = fn.handle;
          op.scale = scale.handle;
          op.base = base.handle;
          op.gain = gain.handle;
          op.output = output.handle;
          op.x = x.view;
          op.ids = c.ints({rows.rows}, ids).view;
          op.logits = logits.view;
          op.eps = 1e-6;
          op.hc_eps = 1e-6;

          const double slope = max_row_norm(fn) * std::sqrt(1.0 * flat) *
                               std::abs(static_cast<double>(scale.values[0])) / 4;
          const auto bound = per_row([&](std::size_t row) {
            const auto source = static_cast<std::size_t>(ids[row]);
            const auto all = widen(std::span(x.values).subspan(source * flat, flat));
            const auto m = product(fn, normed(all, nullptr, op.eps));
            std::vector<double> mixed(width, 0);
            std::vector<double> reach(width, 0);
            for (std::uint32_t s = 0; s < kStreams; ++s) {
              const double pre = sigmoid(m[s] * static_cast<double>(scale.values[0]) +
                                         static_cast<double>(base.values[s])) +
                                 op.hc_eps;
              for (std::uint32_t d = 0; d < width; ++d) {
                mixed[d] += pre * all[s * width + d];
                reach[d] += (pre + slope) * std::abs(all[s * width + d]);
              }
            }
            // As a vector: the error of the sum over its rms, once more for the rms, and the
            // rounding of the normed row itself.
            const double r = rms(mixed, op.eps);
            const double row_error =
                max_abs(gain.values) * (2 * norm2(reach) / r + std::sqrt(1.0 * width));
            std::vector<double> result;
            for (std::uint32_t i = 0; i < kVocab; ++i) {
              result.push_back(norm2(output.row(i)) * row_error);
            }
            return result;
          });
          c.compare(op.op,
                    {{.name = "logits", .tensor = &logits, .norm = bound, .terms = 1.0 * flat}});
        });
      });
}

}  // namespace ds4::conformance
