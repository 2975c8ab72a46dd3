#include "tests/conformance/harness/dtypes.hpp"

#include <algorithm>

#include "format/dtype.hpp"

namespace ds4::conformance {

std::vector<std::uint32_t> accepted_dtypes(Suite& suite, std::uint32_t role) {
  std::vector<std::uint32_t> result;
  for (const std::uint32_t dtype : kWeightDtypes) {
    ds4_weight_desc desc{};
    desc.struct_size = sizeof(desc);
    desc.dtype = dtype;
    desc.role = role;
    desc.layer = 7;
    const bool is_stack = role == DS4_ROLE_GROUPED || role == DS4_ROLE_EXPERT_GATE ||
                          role == DS4_ROLE_EXPERT_UP || role == DS4_ROLE_EXPERT_DOWN;
    desc.rank = is_stack ? 3 : 2;
    desc.extent[0] = is_stack ? 8 : 256;
    desc.extent[1] = 256;
    desc.extent[2] = is_stack ? 256 : 0;
    const std::uint64_t rows = is_stack ? 8 * 256 : 256;
    const auto bytes = row_bytes(static_cast<Dtype>(dtype), 256);
    if (!bytes) continue;
    desc.bytes = rows * *bytes;
    desc.name = "conformance";
    if (suite.backend().accepts(desc)) result.push_back(dtype);
  }
  return result;
}

std::vector<std::uint32_t> model_dtypes(Suite& suite, std::uint32_t role) {
  std::vector<std::uint32_t> wanted{DS4_DTYPE_Q8_0};
  switch (role) {
    case DS4_ROLE_EMBEDDING:
    case DS4_ROLE_ROUTER:
    case DS4_ROLE_HC_MIX:
      wanted = {DS4_DTYPE_F16};
      break;
    case DS4_ROLE_MATRIX:
      wanted = {DS4_DTYPE_Q8_0, DS4_DTYPE_F16};
      break;
    case DS4_ROLE_EXPERT_GATE:
    case DS4_ROLE_EXPERT_UP:
    case DS4_ROLE_EXPERT_DOWN:
      wanted = {DS4_DTYPE_IQ2_XXS, DS4_DTYPE_Q4_K, DS4_DTYPE_MXFP4};
      break;
    default:
      break;
  }
  const std::vector<std::uint32_t> accepted = accepted_dtypes(suite, role);
  std::erase_if(wanted, [&](std::uint32_t dtype) {
    return std::find(accepted.begin(), accepted.end(), dtype) == accepted.end();
  });
  return wanted;
}

std::uint32_t model_down_dtype(std::uint32_t gate) noexcept {
  return gate == DS4_DTYPE_IQ2_XXS ? DS4_DTYPE_Q2_K : gate;
}

bool takes_dtype(Suite& suite, std::uint32_t role, std::uint32_t dtype) {
  if (dtype == DS4_DTYPE_F32) return true;
  const std::vector<std::uint32_t> accepted = accepted_dtypes(suite, role);
  return std::find(accepted.begin(), accepted.end(), dtype) != accepted.end();
}

bool takes_experts(Suite& suite, std::uint32_t gate) {
  const std::uint32_t down = suite.is_model() ? model_down_dtype(gate) : gate;
  return takes_dtype(suite, DS4_ROLE_EXPERT_GATE, gate) &&
         takes_dtype(suite, DS4_ROLE_EXPERT_UP, gate) &&
         takes_dtype(suite, DS4_ROLE_EXPERT_DOWN, down);
}

}  // namespace ds4::conformance
