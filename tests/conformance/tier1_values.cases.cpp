#include <cmath>
#include <limits>

#include "tests/conformance/cases.hpp"

/// Required ops that compute, each against its formula in double: limits, empty rows, inverses.
namespace ds4::conformance {

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

}  // namespace

void unary_cases(Suite& suite) {
  for (const std::uint32_t function :
       {DS4_UNARY_SIGMOID, DS4_UNARY_SILU, DS4_UNARY_RELU, DS4_UNARY_SQRT_SOFTPLUS}) {
    for (const RowCase& rows : suite.rows()) {
      suite.run("function " + std::to_string(function), rows, [&](Case& c) {
        const std::uint32_t width = c.extent(24);
        auto op = c.op<ds4_op_unary>(DS4_OP_UNARY);
        const Tensor& x = c.input({rows.rows, width}, 4);
        const Tensor& y = c.output(DS4_DTYPE_F32, {width});
        op.x = x.view;
        op.y = y.view;
        op.function = function;
        const auto expected = [&](std::size_t row) {
          const Estimate in = exact(x.vector(row));
          if (function == DS4_UNARY_SIGMOID) return logistic(in);
          if (function == DS4_UNARY_SILU) return times(in, logistic(in));
          Estimate out = in;
          for (std::size_t i = 0; i < in.value.size(); ++i) {
            const double z = in.value[i];
            const double root = std::sqrt(z > 20 ? z : std::log1p(std::exp(z)));
            out.value[i] = function == DS4_UNARY_RELU ? std::max(z, 0.0) : root;
            // exp, log1p and sqrt; exp of a large argument has that argument's rounding too.
            out.error[i] = function == DS4_UNARY_RELU ? 0 : 3 * root;
          }
          return out;
        };
        c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
      });
    }
  }
}

void softmax_sink_cases(Suite& suite) {
  for (const bool has_sink : {false, true}) {
    for (const RowCase& rows : suite.rows()) {
      suite.run(has_sink ? "sink" : "no sink", rows, [&](Case& c) {
        const std::uint32_t heads = c.extent(3, 1, 1, 16);
        const std::uint32_t width = c.extent(7);
        auto op = c.op<ds4_op_softmax_sink>(DS4_OP_SOFTMAX_SINK);
        std::vector<float> logits;
        for (std::uint32_t i = 0; i < rows.rows * heads * width; ++i) {
          const bool is_out = i / width % 4 == 1 || i % 5 == 2;
          logits.push_back(is_out ? -kInf : static_cast<float>(3 * c.random().normal()));
        }
        const Tensor& x = c.floats({rows.rows, heads, width}, logits);
        const Tensor& y = c.output(DS4_DTYPE_F32, {heads, width});
        const Weight& offset = c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {heads}, 2);
        if (has_sink) op.sink = offset.handle;
        op.x = x.view;
        op.y = y.view;
        const auto expected = [&](std::size_t row) {
          Estimate all;
          for (std::uint32_t h = 0; h < heads; ++h) {
            const auto in = x.vector(row * heads + h);
            for (std::uint32_t i = 0; i < width; ++i) {
              // Column i of the identity picks weight i.
              std::vector<float> unit(width, 0);
              unit[i] = 1;
              std::vector<Entry> entries;
              for (std::uint32_t j = 0; j < width; ++j) {
                if (std::isinf(in[j])) continue;
                entries.push_back({static_cast<double>(in[j]), 0, std::span(unit).subspan(j, 1)});
              }
              append(all, weighted(entries, has_sink ? &offset.values[h] : nullptr, 1));
            }
          }
          return all;
        };
        c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
      });
    }
  }
}

void rope_tail_cases(Suite& suite) {
  for (const bool is_yarn : {false, true}) {
    for (const bool is_inverse : {false, true}) {
      const std::string label =
          std::string(is_yarn ? "yarn" : "plain") + (is_inverse ? ", back" : ", forth");
      for (const RowCase& rows : suite.rows()) {
        suite.run(label, rows, [&](Case& c) {
          const std::uint32_t heads = c.extent(2, 1, 1, 16);
          const std::uint32_t width = c.extent(80, 64);
          auto op = c.op<ds4_op_rope_tail>(DS4_OP_ROPE_TAIL);
          const Tensor& x = c.input({rows.rows, heads, width});
          const Tensor& y = c.output(DS4_DTYPE_F32, {heads, width});
          const std::vector<std::int32_t> at = positions(c, rows.rows);
          op.x = x.view;
          op.y = y.view;
          op.positions = c.ints({rows.rows}, at).view;
          op.rope = rope(64, is_yarn, is_inverse);
          const auto expected = [&](std::size_t row) {
            Estimate all;
            for (std::uint32_t h = 0; h < heads; ++h) {
              append(all, rotated(exact(x.vector(row * heads + h)), op.rope, at[row]));
            }
            return all;
          };
          c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
        });
      }
    }
  }
}

void quant_round_trip_cases(Suite& suite) {
  struct Kind {
    const char* label;
    ds4_rounding rounding;
  };
  // Without a transform the inputs are exact, and so is every code: no value may flip.
  constexpr Kind kKinds[] = {
      {"fp8, bf16 tail", {DS4_ROUND_FP8_E4M3, 64, 32, DS4_ROUNDING_TAIL_BF16}},
      {"fp8, plain tail", {DS4_ROUND_FP8_E4M3, 64, 16, 0}},
      {"fp4", {DS4_ROUND_FP4_E2M1, 32, 0, 0}},
      {"transform", {DS4_ROUND_NONE, 0, 0, DS4_ROUNDING_HADAMARD}},
  };
  for (const Kind& kind : kKinds) {
    for (const double scale : {1.0, 1e-5}) {
      for (const RowCase& rows : suite.rows()) {
        suite.run(kind.label + std::string(scale < 1 ? ", tiny" : ""), rows, [&](Case& c) {
          constexpr std::uint32_t kWidth = 128;
          auto op = c.op<ds4_op_quant_round_trip>(DS4_OP_QUANT_ROUND_TRIP);
          // Halves and quarters of small numbers lie on ties of both formats.
          std::vector<float> values;
          for (std::uint32_t i = 0; i < rows.rows * kWidth; ++i) {
            const double tie = static_cast<double>(c.random().below(97)) / 8 - 6;
            values.push_back(static_cast<float>(scale * (i % 2 == 0 ? tie : c.random().normal())));
          }
          const Tensor& x = c.floats({rows.rows, kWidth}, values);
          const Tensor& y = c.output(DS4_DTYPE_F32, {kWidth});
          op.x = x.view;
          op.y = y.view;
          op.rounding = kind.rounding;
          const auto expected = [&](std::size_t row) {
            return rounded(exact(x.vector(row)), kind.rounding);
          };
          c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
        });
      }
    }
  }
}

void swiglu_clamp_cases(Suite& suite) {
  for (const double limit : {0.0, 1.0}) {
    for (const RowCase& rows : suite.rows()) {
      suite.run(limit > 0 ? "limit 1" : "no limit", rows, [&](Case& c) {
        const std::uint32_t width = c.extent(24);
        auto op = c.op<ds4_op_swiglu_clamp>(DS4_OP_SWIGLU_CLAMP);
        const Tensor& gate = c.input({rows.rows, width}, 3);
        const Tensor& up = c.input({rows.rows, width}, 3);
        const Tensor& y = c.output(DS4_DTYPE_F32, {width});
        op.gate = gate.view;
        op.up = up.view;
        op.y = y.view;
        op.limit = limit;
        const auto expected = [&](std::size_t row) {
          return gated(exact(gate.vector(row)), exact(up.vector(row)), limit);
        };
        c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
      });
    }
  }
}

void rms_norm_cases(Suite& suite) {
  for (const double scale : {1.0, 1e-3}) {
    for (const RowCase& rows : suite.rows()) {
      suite.run(scale < 1 ? "values as small as eps" : "plain", rows, [&](Case& c) {
        const std::uint32_t width = c.size({.usual = 40, .model = 4096});
        auto op = c.op<ds4_op_rms_norm>(DS4_OP_RMS_NORM);
        const Weight& gain = c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {width}, 0.2, 1);
        const Tensor& x = c.input({rows.rows, width}, scale);
        const Tensor& y = c.output(DS4_DTYPE_F32, {width});
        op.gain = gain.handle;
        op.x = x.view;
        op.y = y.view;
        op.eps = 1e-6;
        const auto expected = [&](std::size_t row) {
          return normed(exact(x.vector(row)), &gain, op.eps);
        };
        c.compare(op.op, {{.name = "y", .tensor = &y, .expected = expected}});
      });
    }
  }
}

}  // namespace ds4::conformance
