#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "base/thread_team.hpp"
#include "wrap/device.hpp"

namespace ds4::bench {

/// What reading memory yields on this machine now.
struct BandwidthProbe {
  double bytes_per_second = 0;  ///< best of the passes
  /// The same by the processor time of one thread instead of the clock; 0 where a device copied.
  double processor_bytes_per_second = 0;
  std::uint64_t bytes = 0;  ///< read in each pass
  std::uint32_t passes = 0;
};

/// Reads a buffer of `bytes` with every thread of `team`, `passes` times; the best counts, since
/// other programs only make it slower. Each thread reads the part that it touched first.
/// Errors: out_of_memory.
Result<BandwidthProbe> probe_bandwidth(ThreadTeam& team, std::uint64_t bytes, std::uint32_t passes);

/// Copies within a device's memory; a byte that is copied counts twice, in `bytes` too.
/// Errors: what the device reports.
Result<BandwidthProbe> probe_copies(plugins::Device& device, std::uint64_t bytes,
                                    std::uint32_t passes);

/// `wanted`, or a quarter of the memory that is left where that is less.
[[nodiscard]] std::uint64_t probe_size(std::uint64_t wanted);

}  // namespace ds4::bench
