#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "loader/file_identity.hpp"
#include "loader/manifest.hpp"
#include "loader/note.hpp"
#include "loader/reason.hpp"
#include "loader/search_options.hpp"
#include "loader/search_path.hpp"

namespace ds4::plugins {

/// What is known about a file before any code of it runs.
struct CheckedFile {
  std::filesystem::path path;  ///< canonical where possible, else as it was found
  std::string name;            ///< from the file's name
  FileIdentity identity;
  NoteFacts note;
  Manifest manifest;
  Verdict refusal;                   ///< of checks 1 to 11; empty: the file may be opened
  std::vector<std::string> notices;  ///< to show the user: unknown keys, trust that was waived
};

/// Checks 1 to 11 in order, and the manifest beside the file. Never throws, runs no code of the
/// file. A backend that its manifest disables is checked up to the manifest only.
[[nodiscard]] CheckedFile check_file(const FoundFile& file, const BackendSearchOptions& options);

/// SHA-256 as 64 hexadecimal digits, or empty when the library refuses.
[[nodiscard]] std::string sha256_hex(std::span<const std::byte> bytes);

}  // namespace ds4::plugins
