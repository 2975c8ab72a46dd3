#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace ds4::plugins {

/// What tells one content of a file from another without reading it.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t bytes = 0;
  std::int64_t modified_ns = 0;
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

/// Follows links. Nothing when the file cannot be examined.
[[nodiscard]] std::optional<FileIdentity> identify(const std::filesystem::path& path) noexcept;

}  // namespace ds4::plugins
