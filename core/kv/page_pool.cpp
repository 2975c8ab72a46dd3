#include "kv/page_pool.hpp"

#include "base/assert.hpp"

namespace ds4 {

PagePool::PagePool(std::uint32_t pages) : pages_(pages) {
  free_.reserve(pages);
  for (std::uint32_t page = pages; page-- > 0;) free_.push_back(page);
}

std::optional<std::uint32_t> PagePool::take() {
  if (free_.empty()) return std::nullopt;
  const std::uint32_t page = free_.back();
  free_.pop_back();
  pages_[page].sessions = 1;
  return page;
}

template <class Change>
void PagePool::change(std::uint32_t page, Change apply) {
  References& counts = pages_[page];
  reclaimable_ -= counts.is_reclaimable() ? 1 : 0;
  apply(counts);
  reclaimable_ += counts.is_reclaimable() ? 1 : 0;
}

void PagePool::share(std::uint32_t page, PageHolder holder) {
  DS4_ASSERT(references(page) > 0);
  change(page, [holder](References& counts) {
    ++(holder == PageHolder::session ? counts.sessions : counts.restore_points);
  });
}

void PagePool::release(std::uint32_t page, PageHolder holder) {
  change(page, [holder](References& counts) {
    std::uint32_t& count = holder == PageHolder::session ? counts.sessions : counts.restore_points;
    DS4_ASSERT(count > 0);
    --count;
  });
  if (references(page) == 0) free_.push_back(page);
}

}  // namespace ds4
