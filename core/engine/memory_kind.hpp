#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "wrap/device.hpp"

namespace ds4 {

/// The kind of memory (DS4_MEMORY_*) in which ops of a device run fastest; the order of the
/// device's own table has no meaning. Errors: unsupported when it names none.
[[nodiscard]] Result<std::uint32_t> fastest_memory(const plugins::Device& device);

}  // namespace ds4
