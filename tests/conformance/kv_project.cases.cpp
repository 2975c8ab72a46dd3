#include "tests/conformance/cases.hpp"

namespace ds4::conformance {

namespace {

struct Kind {
  const char* label;
  std::uint32_t head_dim;
  ds4_rounding rounding;
};

// Without a rounding the values are compared as they are; with it, codes may flip. 112 - 16 leaves
// a short last block of 32.
constexpr Kind kFlash = {"of Flash", 512, {DS4_ROUND_FP8_E4M3, 64, 64, DS4_ROUNDING_TAIL_BF16}};
constexpr Kind kKinds[] = {
    {"unrounded", 112, {DS4_ROUND_NONE, 0, 0, 0}},
    {"transformed", 64, {DS4_ROUND_NONE, 0, 0, DS4_ROUNDING_HADAMARD}},
    {"fp8 and bf16 tail", 144, {DS4_ROUND_FP8_E4M3, 64, 16, DS4_ROUNDING_TAIL_BF16}},
    {"fp8, short block", 112, {DS4_ROUND_FP8_E4M3, 64, 16, 0}},
    {"fp4, transformed", 64, {DS4_ROUND_FP4_E2M1, 32, 0, DS4_ROUNDING_HADAMARD}},
};

void run_case(Case& c, std::uint32_t dtype, std::uint32_t usual_width, const Kind& kind,
              bool is_yarn) {
  const std::uint32_t width = c.width(dtype, usual_width, 4096);
  auto op = c.op<ds4_op_kv_project>(DS4_OP_KV_PROJECT);
  const Weight& wkv = c.weight(dtype, DS4_ROLE_MATRIX, {kind.head_dim, width}, 0.1);
  const Weight& gain = c.weight(DS4_DTYPE_F32, DS4_ROLE_VECTOR, {kind.head_dim}, 0.2, 1);
  const Tensor& u = c.input({c.rows().rows, width});
  const Tensor& kv = c.output(DS4_DTYPE_F32, {kind.head_dim});
  op.wkv = wkv.handle;
  op.gain = gain.handle;
  op.u = u.view;
  const std::vector<std::int32_t> at = positions(c, c.rows().rows);
  op.positions = c.ints({c.rows().rows}, at).view;
  op.kv = kv.view;
  op.rope = rope(c.is_model() ? 64 : 16, is_yarn);
  op.rounding = kind.rounding;
  op.eps = 1e-6;

  const auto expected = [&](std::size_t row) {
    const Estimate unit = normed(product(wkv, exact(u.vector(row))), &gain, op.eps);
    return rounded(rotated(unit, op.rope, at[row]), op.rounding);
  };
  // No value exceeds the row's norm, whatever is rotated or transformed.
  const auto row_max = per_row([&](std::size_t row) {
    return std::vector{norm2(normed(product(wkv, exact(u.vector(row))), &gain, op.eps).value)};
  });
  Check check{.name = "kv", .tensor = &kv, .expected = expected};
  const std::size_t head = kind.head_dim - kind.rounding.tail;
  if (kind.rounding.format == DS4_ROUND_FP8_E4M3) {
    check.code_step = [=](std::size_t row, std::size_t column, double value) {
      if (column < head) return fp8_step(value, row_max(row, 0));
      return (kind.rounding.flags & DS4_ROUNDING_TAIL_BF16) != 0 ? bf16_step(value) : 0.0;
    };
  } else if (kind.rounding.format == DS4_ROUND_FP4_E2M1) {
    check.code_step = [=](std::size_t row, std::size_t, double value) {
      return fp4_step(value, row_max(row, 0));
    };
  }
  c.compare(op.op, {check});
}

}  // namespace

void kv_project_cases(Suite& suite) {
  for (const RowCase& rows : suite.is_model() ? suite.rows() : std::vector<RowCase>{}) {
    for (const bool is_yarn : {false, true}) {
      suite.run(is_yarn ? "q8_0 of Flash, yarn rope" : "q8_0 of Flash, plain rope", rows,
                [&](Case& c) { run_case(c, DS4_DTYPE_Q8_0, 256, kFlash, is_yarn); });
    }
  }
  if (suite.is_model()) return;
  for (const Kind& kind : kKinds) {
    for (const bool is_yarn : {false, true}) {
      const std::string label =
          std::string(kind.label) + (is_yarn ? ", yarn rope" : ", plain rope");
      for (const RowCase& rows : suite.rows()) {
        suite.run(label, rows, [&](Case& c) { run_case(c, DS4_DTYPE_F32, 40, kind, is_yarn); });
      }
    }
  }
  for (const std::uint32_t dtype : accepted_dtypes(suite, DS4_ROLE_MATRIX)) {
    for (const RowCase& rows : suite.short_rows()) {
      suite.run(std::string(view_dtype_name(dtype)) + " width 256", rows,
                [&](Case& c) { run_case(c, dtype, 256, kKinds[0], true); });
    }
  }
}

}  // namespace ds4::conformance
