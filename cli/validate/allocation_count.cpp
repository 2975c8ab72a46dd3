// Counts every allocation of the process: malloc of a program comes before that of the C library,
// for backends too.
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

#include "validate/process.hpp"

#if defined(__GLIBC__) && !defined(DS4_SANITIZED)
#define DS4_COUNTS_ALLOCATIONS 1
#else
#define DS4_COUNTS_ALLOCATIONS 0
#endif

namespace {
std::atomic<std::uint64_t> allocations{0};
}

namespace ds4::validate {

bool counts_allocations() noexcept {
  return DS4_COUNTS_ALLOCATIONS != 0;
}
std::uint64_t allocation_count() noexcept {
  return allocations.load(std::memory_order_relaxed);
}

}  // namespace ds4::validate

#if DS4_COUNTS_ALLOCATIONS

extern "C" {
// The C library's own functions, under the names that it keeps for this purpose.
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* block, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

void* malloc(std::size_t bytes) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_calloc(count, bytes);
}
void* realloc(void* block, std::size_t bytes) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_realloc(block, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_memalign(alignment, bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t bytes) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (alignment % sizeof(void*) != 0 || (alignment & (alignment - 1)) != 0) return EINVAL;
  void* const block = __libc_memalign(alignment, bytes);
  if (block == nullptr) return ENOMEM;
  *out = block;
  return 0;
}
}

#endif
