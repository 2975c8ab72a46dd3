#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "loader/file_identity.hpp"
#include "loader/reason.hpp"
#include "wrap/backend.hpp"

namespace ds4::plugins {

/// A file that was opened, or why not. With Reason::no_device the backend works, but none of its
/// devices (listed here with their reasons) has a score.
struct OpenedBackend {
  Verdict refusal;
  std::shared_ptr<Backend> backend;
  std::vector<DeviceEntry> devices;
  std::chrono::microseconds open_time{0};
  std::chrono::microseconds enumerate_time{0};
};

/// Whether a process is there for one file alone: then what opening it leaves behind (threads,
/// working directory, locale, signal mask) is its own doing, and a refusal (Reason::probe).
enum class OpenedIn { shared_process, own_process };

/// Checks 12 to 15: opens the file in this process, calls its entry, checks its table, describes
/// it and counts its devices. Runs code of the file; see probe.hpp for doing so elsewhere first.
///
/// path: canonical. name: from the file's name. identity: as it was when the file was checked.
[[nodiscard]] OpenedBackend open_backend(const std::filesystem::path& path, const std::string& name,
                                         const FileIdentity& identity,
                                         const std::shared_ptr<HostApi>& host,
                                         const BackendOptions& default_options = {},
                                         OpenedIn where = OpenedIn::shared_process);

}  // namespace ds4::plugins
