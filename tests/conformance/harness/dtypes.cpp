#include "tests/conformance/harness/dtypes.hpp"

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

}  // namespace ds4::conformance
