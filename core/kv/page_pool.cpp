#include "kv/page_pool.hpp"

#include "base/assert.hpp"

namespace ds4 {

PagePool::PagePool(std::uint32_t pages) : references_(pages, 0) {
  free_.reserve(pages);
  for (std::uint32_t page = pages; page-- > 0;) free_.push_back(page);
}

std::optional<std::uint32_t> PagePool::take() {
  if (free_.empty()) return std::nullopt;
  const std::uint32_t page = free_.back();
  free_.pop_back();
  references_[page] = 1;
  return page;
}

void PagePool::share(std::uint32_t page) {
  DS4_ASSERT(references_[page] > 0);
  ++references_[page];
}

void PagePool::release(std::uint32_t page) {
  DS4_ASSERT(references_[page] > 0);
  if (--references_[page] == 0) free_.push_back(page);
}

}  // namespace ds4
