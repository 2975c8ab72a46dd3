#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace ds4 {

/// One bound on the memory that this process may still take, and who sets it.
struct MemoryBound {
  std::string source;           ///< "MemAvailable", "cgroup /user.slice"
  std::uint64_t limit = 0;      ///< bytes in all
  std::uint64_t available = 0;  ///< bytes not in use; file pages that can be dropped count as free
};

/// The bounds of the host's memory: the machine's own, then those of every control group that this
/// process is in, from the innermost outwards.
struct HostMemory {
  std::vector<MemoryBound> bounds;

  /// The bound with the fewest available bytes; null when nothing is known.
  [[nodiscard]] const MemoryBound* tightest() const noexcept;
};

/// Reads /proc/meminfo and the memory controllers of cgroup v1 and v2 below `root` ("/" outside of
/// tests). What cannot be read or understood bounds nothing.
///
/// A group's usage counts the page cache that it filled; active and inactive file pages are taken
/// off, since the kernel drops them before it refuses memory. Limits of groups above the mount
/// point are not visible but for v1's hierarchical_memory_limit, which is read.
[[nodiscard]] HostMemory read_host_memory(const std::filesystem::path& root = "/");

}  // namespace ds4
