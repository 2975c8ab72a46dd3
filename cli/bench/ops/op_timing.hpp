#pragma once

#include <cstdint>
#include <functional>

#include "bench/ops/rotation.hpp"

namespace ds4::bench {

/// How long one run of a kernel takes.
struct OpTiming {
  double us_median = 0;  ///< by the clock
  double us_processor =
      0;  ///< median processor time of the calling thread, which does a thread's share of the work
          ///< where the device computes on the host's threads; 0 elsewhere
  std::uint32_t samples = 0;
};

/// Runs the copies of a kernel in turn, up to 20 in one submission so that what a submission costs
/// is shared out, for at least `seconds` and five samples.
/// Errors: what the device reports; cancelled.
Result<OpTiming> time_kernel(plugins::Device& device, Rotation& rotation, const ds4_view& step,
                             double seconds, const std::function<bool()>& cancelled);

}  // namespace ds4::bench
