/// Tells a host of streamed experts which ones a layer chose, as soon as it chose them: ops between
/// the choice and moe_routed run while the experts are read.
#pragma once

#include <cstdint>

#include "ds4/backend_sdk.hpp"

namespace ds4::cpu {

/// Called by one thread once op `position` of the submission has run and all that it wrote can be
/// read. Where it wrote the ids of a streamed moe_routed that follows soon, the host hears of the
/// first group (StreamedExperts) that this op will ask for; of each later group it hears while the
/// one before is computed. More at once might drive out what the first groups wait for.
void announce_experts(const ds4_host_api& host, const ds4_submission& submission,
                      std::uint32_t position, const std::int32_t* step,
                      std::uint64_t step_words) noexcept;

}  // namespace ds4::cpu
