/// What the processor and the operating system let a level use. Compiled for the oldest processor.
#pragma once

#include <cstdint>

namespace ds4::fast {

/// Score of this level on this machine, 0 when it cannot run here.
std::uint32_t level_score() noexcept;

/// Which feature is missing, or a remark, or "". A static string.
const char* level_reason() noexcept;

}  // namespace ds4::fast
