/// Every op of this backend by id; each entry lives in the file of its op. And what all of those
/// files use.
#pragma once

#include <iterator>

#include "cpu-common/contracts/contracts.hpp"
#include "cpu-common/dequant.hpp"
#include "cpu-common/loops.hpp"

namespace ds4::fast {

using namespace cpu;  // the plumbing that CPU backends share

#define DS4_CPU_OP(entry) extern const OpEntry entry;
#include "cpu-common/ops.inc"
#undef DS4_CPU_OP

/// All of them in the order of sdk::kOps.
extern const OpEntry* const kOps[std::size(sdk::kOps)];

}  // namespace ds4::fast
