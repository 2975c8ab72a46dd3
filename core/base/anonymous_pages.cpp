#include "base/anonymous_pages.hpp"

#include <sys/mman.h>

namespace ds4 {

AnonymousPages::AnonymousPages(std::size_t bytes) : bytes_(bytes) {
  void* const mapped =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return;
  data_ = static_cast<std::byte*>(mapped);
  (void)::madvise(data_, bytes_, MADV_HUGEPAGE);
}

AnonymousPages::~AnonymousPages() {
  if (is_there()) ::munmap(data_, bytes_);
}

}  // namespace ds4
