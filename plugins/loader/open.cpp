#include "loader/open.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "loader/process_state.hpp"

namespace ds4::plugins {
namespace {

using Clock = std::chrono::steady_clock;

std::chrono::microseconds since(Clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
}

Refusal refuse(Reason reason, const Error& error) {
  return Refusal{reason, error.what};
}

/// A device that claims more than a plugin may is not used.
void cap_scores(std::vector<DeviceEntry>& devices) {
  for (DeviceEntry& device : devices) {
    if (device.info.score < DS4_SCORE_LIMIT) continue;
    device.reason = "claims score " + std::to_string(device.info.score) +
                    ", a backend may claim at most " + std::to_string(DS4_SCORE_LIMIT - 1) +
                    "; report this to its author";
    device.info.score = DS4_SCORE_CANNOT_RUN;
  }
}

Verdict check_devices(const Backend& backend, const std::vector<DeviceEntry>& devices) {
  const bool any = std::any_of(devices.begin(), devices.end(), [](const DeviceEntry& device) {
    return device.info.score > DS4_SCORE_CANNOT_RUN;
  });
  if (any) return std::nullopt;
  std::string text = devices.empty() ? backend.device_reason(0) : devices.front().reason;
  if (text.empty()) text = "has no device and gives no reason; report this to its author";
  return Refusal{Reason::no_device, std::move(text)};
}

Verdict check_state(const ProcessState& before, bool counts_threads) {
  auto left = before.left_behind(counts_threads);
  if (!left) return std::nullopt;
  return Refusal{Reason::probe, *std::move(left) + "; report this to its author"};
}

Verdict open_steps(const std::filesystem::path& path, const std::string& name,
                   const FileIdentity& identity, const std::shared_ptr<HostApi>& host,
                   const BackendOptions& default_options, OpenedIn where, OpenedBackend& out) {
  const bool is_alone = where == OpenedIn::own_process;
  const ProcessState before;
  const auto open_begin = Clock::now();
  auto library = PluginLibrary::open(path, host->log());
  if (!library) return refuse(Reason::dlopen, library.error());
  if (identify(path) != identity) {
    return Refusal{Reason::changed, "was replaced while it was opened; start again"};
  }
  const ds4_host_api* table = host->table(name, default_options);
  auto api = call_entry(**library, *host, table, name);
  if (!api) return refuse(Reason::entry_failed, api.error());
  if (auto checked = check_table(**api); !checked)
    return refuse(Reason::bad_table, checked.error());
  auto backend = Backend::make(*library, host, *api);
  if (!backend) return refuse(Reason::entry_failed, backend.error());
  out.open_time = since(open_begin);
  if ((*backend)->name() != name) {
    return Refusal{Reason::name_mismatch, "describes itself as \"" + (*backend)->name() +
                                              "\", its file name says \"" + name +
                                              "\"; report this to its author"};
  }
  if (is_alone) {
    if (auto left = check_state(before, true)) return left;
  }
  const auto enumerate_begin = Clock::now();
  auto devices = (*backend)->devices();
  if (!devices) return refuse(Reason::no_device, devices.error());
  out.enumerate_time = since(enumerate_begin);
  if (is_alone) {
    if (auto left = check_state(before, false)) return left;
  }
  out.devices = *devices;
  cap_scores(out.devices);
  out.backend = *backend;
  return check_devices(**backend, out.devices);
}

}  // namespace

OpenedBackend open_backend(const std::filesystem::path& path, const std::string& name,
                           const FileIdentity& identity, const std::shared_ptr<HostApi>& host,
                           const BackendOptions& default_options, OpenedIn where) {
  OpenedBackend out;
  try {
    out.refusal = open_steps(path, name, identity, host, default_options, where, out);
  } catch (const std::exception& error) {
    // A backend that lets an exception out has broken the contract; where it can be caught, the
    // others go on.
    out.refusal = Refusal{Reason::entry_failed, std::string("let a C++ exception out: ") +
                                                    error.what() + "; report this to its author"};
  } catch (...) {
    out.refusal =
        Refusal{Reason::entry_failed, "let a C++ exception out; report this to its author"};
  }
  return out;
}

}  // namespace ds4::plugins
