#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "wrap/host_api.hpp"

namespace ds4::plugins {

inline constexpr std::uint64_t kManifestLimitBytes = 64 * 1024;

/// `<dir>/<name>.ds4-backend.json`: it can disable a backend, pin its hash and give defaults of
/// options. It cannot name a file elsewhere, raise a score or skip a check.
struct Manifest {
  std::string library;  ///< file name in the same directory; empty: not said
  std::string sha256;   ///< 64 lower-case hexadecimal digits; empty: not pinned
  bool enabled = true;
  BackendOptions options;  ///< by key
  std::string note;        ///< shown with the backend
  std::vector<std::string> warnings;
};

/// Safe on any text. Errors: bad_file saying what is malformed. Unknown keys become warnings.
Result<Manifest> parse_manifest(std::string_view text);

/// The name of the manifest of backend `name`.
[[nodiscard]] std::string manifest_file_name(std::string_view name);

}  // namespace ds4::plugins
