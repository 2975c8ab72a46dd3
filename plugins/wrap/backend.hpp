#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "ds4/backend.h"
#include "wrap/host_api.hpp"
#include "wrap/library.hpp"

namespace ds4::plugins {

class Device;

/// What a backend says of itself; copies of the strings of ds4_backend_info.
struct BackendInfo {
  std::uint32_t kind = 0;  ///< DS4_BACKEND_KIND_*
  std::string name;
  std::string version;
  std::string vendor;
  std::string build;
  std::string licence;
};

/// One device as enumerate() reported it. `reason` says why the score is 0, or is a remark.
struct DeviceEntry {
  ds4_device_info info{};  ///< text fields are NUL-terminated
  std::string reason;
};

/// Calls the entry of `library`. Errors: unsupported or what the entry reported; internal when it
/// succeeded without a table.
Result<const ds4_backend_api*> call_entry(const PluginLibrary& library, HostApi& host,
                                          const ds4_host_api* table, std::string_view name);

/// Checks that the table is long enough for ours, of our version, and has every required function.
/// Errors: bad_file naming the first field that is missing.
Result<void> check_table(const ds4_backend_api& table);

/// A backend that has been entered: its table, and the host table that it was given.
class Backend : public std::enable_shared_from_this<Backend> {
 public:
  /// From a library that is open and a table that passed check_table(). Calls describe().
  static Result<std::shared_ptr<Backend>> make(std::shared_ptr<PluginLibrary> library,
                                               std::shared_ptr<HostApi> host,
                                               const ds4_backend_api* table);

  [[nodiscard]] const BackendInfo& info() const noexcept { return info_; }
  [[nodiscard]] const std::string& name() const noexcept { return info_.name; }
  [[nodiscard]] const ds4_backend_api& api() const noexcept { return *table_; }
  [[nodiscard]] PluginLibrary& library() const noexcept { return *library_; }
  [[nodiscard]] HostApi& host() const noexcept { return *host_; }

  /// The devices that are there now. Errors: internal when the count changes under the call, or a
  /// score of 0 has no reason; what enumerate() reports.
  Result<std::vector<DeviceEntry>> devices() const;
  /// Why device `index` has score 0, or why there is no device.
  [[nodiscard]] std::string device_reason(std::uint32_t index) const;

  /// flags: DS4_DEVICE_*.
  Result<std::shared_ptr<Device>> open_device(std::uint32_t index, std::uint32_t flags = 0);

 private:
  Backend(std::shared_ptr<PluginLibrary> library, std::shared_ptr<HostApi> host,
          const ds4_backend_api* table);
  std::shared_ptr<PluginLibrary> library_;
  std::shared_ptr<HostApi> host_;
  const ds4_backend_api* table_;
  BackendInfo info_;
};

}  // namespace ds4::plugins
