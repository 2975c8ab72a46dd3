#pragma once

#include <cstdint>
#include <string>

namespace ds4::validate {

/// Whether this build counts the allocations of the whole process: not under a sanitizer, which has
/// an allocator of its own, and not without glibc.
[[nodiscard]] bool counts_allocations() noexcept;
/// Calls of malloc and its kin by any thread, backend libraries included.
[[nodiscard]] std::uint64_t allocation_count() noexcept;

/// What a process holds, to find growth.
struct Holdings {
  std::uint64_t threads = 0;
  std::uint64_t descriptors = 0;
  std::uint64_t heap_bytes = 0;  ///< in use; 0 where it is not known
};
[[nodiscard]] Holdings holdings();

/// What calls of a backend must leave as it was.
struct ThreadState {
  std::uint64_t fp_control = 0;
  std::uint64_t signal_mask = 0;
  std::string directory;
  std::string locale;
  std::uint64_t environment = 0;  ///< a hash
};
[[nodiscard]] ThreadState thread_state();
/// What differs, or empty.
[[nodiscard]] std::string difference(const ThreadState& before, const ThreadState& after);
/// Puts floating-point control, signal mask and directory back.
void restore(const ThreadState& state);

/// "VmHWM" of this process in bytes; 0 when the system does not tell.
[[nodiscard]] std::uint64_t peak_resident_bytes();

}  // namespace ds4::validate
