#include "bench/probe_devices.hpp"

#include <algorithm>
#include <string>

#include "common/progress.hpp"

namespace ds4::bench {
namespace {

constexpr std::uint32_t kProbePasses = 5;

void say(const cli::Console& console, const BandwidthProbe& probe, const std::string& how) {
  console.note("probe: " + cli::decimals(probe.bytes_per_second / 1e9, 2) + " GB/s " + how +
               ", best of " + std::to_string(probe.passes));
}

}  // namespace

Result<BandwidthProbe> probe_devices(const cli::Runtime& runtime, std::uint64_t bytes,
                                     const cli::OpenDevices& devices, DeviceMemory otherwise) {
  if (bytes == 0) return BandwidthProbe{};
  const cli::Console& console = runtime.console();
  for (const auto& device : devices.devices) {
    if (device->uses_host_memory()) continue;
    if (otherwise == DeviceMemory::skipped) {
      console.note(std::string("no probe: the memory of ") + device->info().name +
                   " is not the host's; rows have no ratios");
      return BandwidthProbe{};
    }
    const std::uint64_t free = device->info().free_bytes;
    DS4_TRY(const BandwidthProbe result,
            probe_copies(*device, free == 0 ? bytes : std::min(bytes, free / 4), kProbePasses));
    say(console, result,
        "copying " + std::to_string(result.bytes >> 21) + " MiB within " + device->info().name);
    return result;
  }
  ThreadTeam team(runtime.threads());
  DS4_TRY(const BandwidthProbe result, probe_bandwidth(team, probe_size(bytes), kProbePasses));
  say(console, result,
      "reading " + std::to_string(result.bytes >> 20) + " MiB with " +
          std::to_string(team.threads()) + " threads");
  return result;
}

}  // namespace ds4::bench
