#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace ds4::plugins {

/// Whether files are first opened in a process of their own.
enum class ProbePolicy {
  automatic,  ///< files that the user or the environment named, and those of the user directory
  always,
  never,
};

/// Where backends are looked for. The program fills it from its command line and environment;
/// nothing below reads the environment.
struct BackendSearchOptions {
  std::vector<std::filesystem::path> explicit_paths;  ///< --backend-path: files or directories
  std::string environment_path;      ///< DS4_BACKEND_PATH: absolute directories, colon-separated
  bool environment_only = false;     ///< DS4_BACKEND_PATH_ONLY=1: only the two above
  std::filesystem::path executable;  ///< the running program; see running_executable()
  std::filesystem::path install_directory;    ///< see configured_install_directory()
  std::filesystem::path user_data_directory;  ///< XDG_DATA_HOME, or ~/.local/share; may be empty
  std::filesystem::path cache_directory;      ///< ${XDG_CACHE_HOME}/ds4; empty: nothing is cached
  std::vector<std::filesystem::path> allow_untrusted;  ///< --allow-untrusted-backend
  bool privileged = false;  ///< secure execution: only the install directory counts
  ProbePolicy probe = ProbePolicy::automatic;
  /// Runs `<program> --ds4-probe <file>` (probe.hpp); empty: files are opened without a probe.
  std::filesystem::path probe_program;
  std::chrono::milliseconds probe_limit{10000};
};

/// The absolute path of this program, or empty when the system does not tell.
[[nodiscard]] std::filesystem::path running_executable();
/// The directory that was fixed when ds4 was configured.
[[nodiscard]] std::filesystem::path configured_install_directory();
/// True for set-user-id, set-group-id and file-capability programs.
[[nodiscard]] bool is_secure_execution() noexcept;

/// Options of a program that was given none: this executable, its install directory, itself as
/// probe program, and the privilege that the system reports.
[[nodiscard]] BackendSearchOptions default_search_options();

}  // namespace ds4::plugins
