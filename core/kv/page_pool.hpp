#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace ds4 {

/// Who has a reference to a page. Restore points give way to sessions; sessions do not give way.
enum class PageHolder { session, restore_point };

/// Reference counts of the pages of one ratio class. Host data only; changed between steps.
///
/// A page holds kPageRows compressed rows of every layer of the class. It belongs to whoever holds
/// a reference; a page with more than one reference is read-only.
class PagePool {
 public:
  explicit PagePool(std::uint32_t pages);

  /// A free page with one reference, of a session, or nothing when all are in use. Lowest free id
  /// first.
  [[nodiscard]] std::optional<std::uint32_t> take();
  /// One more reference to a page in use.
  void share(std::uint32_t page, PageHolder holder = PageHolder::session);
  /// One reference less; the last one frees the page.
  void release(std::uint32_t page, PageHolder holder = PageHolder::session);

  [[nodiscard]] bool is_exclusive(std::uint32_t page) const { return references(page) == 1; }
  [[nodiscard]] std::uint32_t references(std::uint32_t page) const {
    return pages_[page].sessions + pages_[page].restore_points;
  }
  [[nodiscard]] std::uint32_t sessions(std::uint32_t page) const { return pages_[page].sessions; }
  [[nodiscard]] std::uint32_t pages() const { return static_cast<std::uint32_t>(pages_.size()); }
  [[nodiscard]] std::uint32_t free_pages() const {
    return static_cast<std::uint32_t>(free_.size());
  }
  /// Pages that only restore points hold.
  [[nodiscard]] std::uint32_t reclaimable_pages() const { return reclaimable_; }

 private:
  struct References {
    std::uint32_t sessions = 0;
    std::uint32_t restore_points = 0;
    [[nodiscard]] bool is_reclaimable() const { return sessions == 0 && restore_points > 0; }
  };
  template <class Change>
  void change(std::uint32_t page, Change apply);

  std::vector<References> pages_;
  std::vector<std::uint32_t> free_;  // a stack; its top is the lowest id after construction
  std::uint32_t reclaimable_ = 0;
};

}  // namespace ds4
