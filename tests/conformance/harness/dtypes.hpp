#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "ops/op_table.hpp"
#include "tests/conformance/harness/suite.hpp"

namespace ds4::conformance {

/// Every dtype that a model's weights may have; all rows of 256 values are whole blocks.
inline constexpr std::array kWeightDtypes{DS4_DTYPE_F32,  DS4_DTYPE_F16,   DS4_DTYPE_BF16,
                                          DS4_DTYPE_Q8_0, DS4_DTYPE_Q4_0,  DS4_DTYPE_Q2_K,
                                          DS4_DTYPE_Q3_K, DS4_DTYPE_Q4_K,  DS4_DTYPE_Q5_K,
                                          DS4_DTYPE_Q6_K, DS4_DTYPE_MXFP4, DS4_DTYPE_IQ2_XXS};

/// Those that the backend takes for a role; core converts the others (plugins, weights).
std::vector<std::uint32_t> accepted_dtypes(Suite& suite, std::uint32_t role);

/// Types that the published Flash files have for a role, of those that the backend takes: Q8_0 and
/// F16 matrices (which of the two an op has is the op's to know), experts of three recipes.
std::vector<std::uint32_t> model_dtypes(Suite& suite, std::uint32_t role);
/// The type of the down projection whose gate and up have this one.
[[nodiscard]] std::uint32_t model_down_dtype(std::uint32_t gate) noexcept;
/// Whether the backend takes weights of this dtype for a role. F32 is for every role.
[[nodiscard]] bool takes_dtype(Suite& suite, std::uint32_t role, std::uint32_t dtype);
/// Whether it takes all three weights of experts whose gate has this one.
[[nodiscard]] bool takes_experts(Suite& suite, std::uint32_t gate);

/// Calls body(case label, dtype, width, rows): plain F32 on all row choices at a small width, then
/// every accepted dtype at 256 on the short ones.
template <class Body>
void over_dtypes(Suite& suite, std::uint32_t role, std::uint32_t small_width, Body body) {
  if (suite.is_model()) {
    for (const std::uint32_t dtype : model_dtypes(suite, role)) {
      for (const RowCase& rows : suite.rows()) {
        body(std::string(view_dtype_name(dtype)) + " of Flash", dtype, 256U, rows);
      }
    }
    return;
  }
  for (const RowCase& rows : suite.rows()) {
    body("f32 width " + std::to_string(small_width), DS4_DTYPE_F32, small_width, rows);
  }
  for (const std::uint32_t dtype : accepted_dtypes(suite, role)) {
    for (const RowCase& rows : suite.short_rows()) {
      body(std::string(view_dtype_name(dtype)) + " width 256", dtype, 256U, rows);
    }
  }
}

}  // namespace ds4::conformance
