#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loader/file_identity.hpp"
#include "loader/reason.hpp"

namespace ds4::plugins {

/// What opening a file in a process of its own found out.
struct ProbeReport {
  struct Device {
    std::string name;
    std::string architecture;
    std::uint32_t score = 0;
    std::string reason;
  };
  Verdict refusal;  ///< empty when the backend can be used
  std::string name;
  std::string version;
  std::string vendor;
  std::string build;
  std::vector<Device> devices;
  std::uint64_t open_us = 0;       ///< time to open and enter
  std::uint64_t enumerate_us = 0;  ///< time of enumerate()
};

inline constexpr std::string_view kProbeVerb = "--ds4-probe";

/// For the first lines of main(): when the program was started as `<program> --ds4-probe <file>`,
/// opens that file, prints one JSON object and gives the exit status; otherwise nothing, and the
/// program goes on. The file is opened without further checks: the parent has made them.
[[nodiscard]] std::optional<int> run_probe_verb(int argc, const char* const* argv);

/// Starts `program` with the verb and reads its answer. A crash, an exit without an answer and a
/// run beyond `limit` become a refusal with Reason::probe. Never throws.
[[nodiscard]] ProbeReport run_probe(const std::filesystem::path& program,
                                    const std::filesystem::path& file, const std::string& name,
                                    std::chrono::milliseconds limit);

/// The JSON object of a report, and back. Unknown keys are skipped; anything malformed is an error
/// (nothing). Never throws on any input.
[[nodiscard]] std::string probe_to_json(const ProbeReport& report);
[[nodiscard]] std::optional<ProbeReport> probe_from_json(std::string_view text);

/// Reports by file identity, kept in one file. A hint only: a file that is missing, damaged or
/// cannot be written changes nothing but the time that a start takes.
class ProbeCache {
 public:
  /// directory: where probe.json lies; empty: nothing is read or written.
  explicit ProbeCache(std::filesystem::path directory);
  [[nodiscard]] std::optional<ProbeReport> find(const std::filesystem::path& file,
                                                const FileIdentity& identity) const;
  void put(const std::filesystem::path& file, const FileIdentity& identity,
           const ProbeReport& report);
  /// Writes what put() added, by a temporary and a rename.
  void save() const noexcept;

 private:
  struct Entry {
    std::string key;
    ProbeReport report;
  };
  std::filesystem::path directory_;
  std::string system_;  // kernel and GPU driver version: a new driver may show other devices
  std::vector<Entry> entries_;
  bool dirty_ = false;
};

}  // namespace ds4::plugins
