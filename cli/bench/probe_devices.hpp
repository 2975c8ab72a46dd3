#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "bench/probe.hpp"
#include "common/runtime.hpp"

namespace ds4::bench {

/// What is done about a device whose memory is not the host's.
enum class DeviceMemory {
  skipped,  ///< no probe, and a line that says so
  copied    ///< copies within its memory, each byte counting twice
};

/// Probes the memory that the devices compute from, with all threads of the runtime, and says on
/// stderr what it gives. `bytes` 0: nothing is probed.
/// Errors: those of probe_bandwidth(), what a device reports.
Result<BandwidthProbe> probe_devices(const cli::Runtime& runtime, std::uint64_t bytes,
                                     const cli::OpenDevices& devices, DeviceMemory otherwise);

}  // namespace ds4::bench
