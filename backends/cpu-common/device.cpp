/// One device: the host's processor and memory.
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <fstream>
#include <memory>
#include <string>

#include "api.hpp"
#include "personality.hpp"

namespace ds4::cpu {
namespace {

/// First "model name" of the processor table, or what the machine calls itself.
std::string processor_name() {
  std::ifstream table("/proc/cpuinfo");
  for (std::string line; std::getline(table, line);) {
    if (!line.starts_with("model name")) continue;
    const auto colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  utsname names{};
  return uname(&names) == 0 ? names.machine : "CPU";
}

/// FNV-1a, twice with different starts: equal on every CPU backend of one machine.
void hash_id(std::string_view text, std::uint8_t (&out)[16]) noexcept {
  for (std::uint32_t half = 0; half < 2; ++half) {
    std::uint64_t hash = 0xcbf29ce484222325ull ^ half;
    for (const char c : text) {
      hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ull;
    }
    std::memcpy(out + 8 * half, &hash, 8);
  }
}

void fill_info(ds4_device_info& info) {
  const std::uint32_t size = info.struct_size;
  info = {};
  info.struct_size = size;
  info.kind = DS4_DEVICE_KIND_CPU;
  const std::string name = processor_name();
  sdk::copy_text(info.name, name);
  utsname names{};
  if (uname(&names) == 0) sdk::copy_text(info.architecture, names.machine);
  hash_id("cpu:" + name, info.unique_id);
  struct sysinfo memory {};
  if (sysinfo(&memory) == 0) {
    info.total_bytes = std::uint64_t{memory.totalram} * memory.mem_unit;
    info.free_bytes = std::uint64_t{memory.freeram} * memory.mem_unit;
  }
  info.capabilities = DS4_CAP_DETERMINISTIC | DS4_CAP_HOST_MAP | DS4_CAP_IMPORT_HOST |
                      DS4_CAP_UNLOAD_SAFE | DS4_CAP_ROW_INVARIANT | personality().capabilities;
  info.score = personality().score();
  sdk::copy_text(info.reason, personality().reason());
  info.memory_kinds = 1;
  info.memory[0] = {DS4_MEMORY_HOST, 1, 1, static_cast<std::uint32_t>(kAlignment), 0};
  info.preferred_row_tile = 1;
}

}  // namespace

ds4_status enumerate(ds4_device_info* devices, std::uint32_t capacity, std::uint32_t* count,
                     ds4_error* err) {
  return sdk::fence(err, [&] {
    sdk::need(count, "count") = 1;
    if (capacity == 0) return;
    fill_info(sdk::need_struct(devices, "device info"));
  });
}

const char* device_reason(std::uint32_t index) {
  return index == 0 ? personality().reason() : "there is one device, the processor, with index 0";
}

ds4_status device_open(std::uint32_t index, const ds4_device_options* options, ds4_device** out,
                       ds4_error* err) {
  return sdk::fence(err, [&] {
    ds4_device*& device = sdk::need(out, "out");
    const ds4_device_options& wanted = sdk::need_struct(options, "device options");
    const ds4_host_api& host = sdk::need(wanted.host, "device options: host");
    sdk::check_host(&host);
    if (index != 0) {
      throw sdk::failure(DS4_E_INVALID_ARGUMENT, "there is no device ", index);
    }
    if (personality().score() == DS4_SCORE_CANNOT_RUN) {
      throw sdk::failure(DS4_E_UNSUPPORTED, personality().name, ": ", personality().reason());
    }
    const std::uint32_t flags = wanted.flags;
    constexpr std::uint32_t kKnown =
        DS4_DEVICE_PROFILE | DS4_DEVICE_DETERMINISTIC | DS4_DEVICE_VALIDATE;
    if ((flags & ~kKnown) != 0) {
      throw sdk::failure(DS4_E_UNSUPPORTED, "device options: unknown flags in ", flags);
    }
    auto made = std::make_unique<ds4_device>();
    made->host = &host;
    made->validates = (flags & DS4_DEVICE_VALIDATE) != 0;
    if (DS4_HAS(ds4_host_api, &host, get_option)) {
      const char* compose = host.get_option(host.host_ctx, "compose");
      if (compose != nullptr) {
        const std::string_view value(compose);
        if (value != "on" && value != "off") {
          throw sdk::failure(DS4_E_INVALID_ARGUMENT, "option ", personality().name, ".compose is '",
                             value, "', use on or off");
        }
        made->composes = value == "on";
      }
    }
    device = made.release();
  });
}

ds4_status device_close(ds4_device* device, ds4_error* err) {
  return sdk::fence(err, [&] {
    ds4_device& d = sdk::need(device, "device");
    const std::uint64_t left = d.children;
    if (left != 0) {
      throw sdk::failure(DS4_E_INVALID_ARGUMENT, "device_close: ", left,
                         " objects of this device still live");
    }
    delete device;
  });
}

ds4_status stats_read(ds4_device* device, ds4_stats* out, ds4_error* err) {
  return sdk::fence(err, [&] {
    const ds4_device& d = sdk::need(device, "device");
    ds4_stats& stats = sdk::need_struct(out, "stats");
    const std::uint32_t size = stats.struct_size;
    stats = {};
    stats.struct_size = size;
    for (std::size_t i = 0; i < d.bytes_by_usage.size(); ++i) {
      stats.bytes_by_usage[i] = d.bytes_by_usage[i];
    }
    stats.peak_bytes = d.bytes_peak;
    stats.ops_run = d.ops_run;
    for (std::size_t i = 0; i < d.calls_by_op.size(); ++i) stats.calls_by_op[i] = d.calls_by_op[i];
  });
}

}  // namespace ds4::cpu
