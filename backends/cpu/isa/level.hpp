/// The instruction-set level that a file is built for: CMake gives DS4_CPU_LEVEL one of these.
#pragma once

#include <cstdint>

#include "ds4/backend.h"

#define DS4_CPU_LEVEL_BASE 0
#define DS4_CPU_LEVEL_AVX2 1
#define DS4_CPU_LEVEL_AVX512 2
#define DS4_CPU_LEVEL_AMX 3
#define DS4_CPU_LEVEL_NEON 10
#define DS4_CPU_LEVEL_DOTPROD 11
#define DS4_CPU_LEVEL_I8MM 12

namespace ds4::fast {

/// Ten more for each wider instruction set of an architecture. Whether tiles are faster nobody has
/// seen yet: until then they have to be asked for by name.
inline constexpr std::uint32_t kLevelScore =
    DS4_SCORE_CPU + (DS4_CPU_LEVEL == DS4_CPU_LEVEL_AMX ? 15 : 10 * (DS4_CPU_LEVEL % 10));

}  // namespace ds4::fast
