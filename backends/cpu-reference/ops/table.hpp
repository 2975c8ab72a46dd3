/// Every op of this backend by id; each entry lives in the file of its op.
#pragma once

#include <iterator>

#include "cpu-common/context.hpp"

namespace ds4::reference {

using cpu::OpEntry;

#define DS4_CPU_OP(entry) extern const OpEntry entry;
#include "cpu-common/ops.inc"
#undef DS4_CPU_OP

/// All of them in the order of sdk::kOps.
extern const OpEntry* const kOps[std::size(sdk::kOps)];

}  // namespace ds4::reference
