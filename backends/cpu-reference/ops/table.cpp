#include "table.hpp"

#include <iterator>

namespace ds4::reference {

#define DS4_CPU_OP(entry) &entry,
extern const OpEntry* const kOps[std::size(sdk::kOps)] = {
#include "cpu-common/ops.inc"
};
#undef DS4_CPU_OP

}  // namespace ds4::reference
