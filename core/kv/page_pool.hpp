#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace ds4 {

/// Reference counts of the pages of one ratio class. Host data only; changed between steps.
///
/// A page holds kPageRows compressed rows of every layer of the class. It belongs to whoever holds
/// a reference; a page with more than one reference is read-only.
class PagePool {
 public:
  explicit PagePool(std::uint32_t pages);

  /// A free page with one reference, or nothing when all are in use. Lowest free id first.
  [[nodiscard]] std::optional<std::uint32_t> take();
  /// One more reference to a page in use.
  void share(std::uint32_t page);
  /// One reference less; the last one frees the page.
  void release(std::uint32_t page);

  [[nodiscard]] bool is_exclusive(std::uint32_t page) const { return references_[page] == 1; }
  [[nodiscard]] std::uint32_t pages() const {
    return static_cast<std::uint32_t>(references_.size());
  }
  [[nodiscard]] std::uint32_t free_pages() const {
    return static_cast<std::uint32_t>(free_.size());
  }

 private:
  std::vector<std::uint32_t> references_;
  std::vector<std::uint32_t> free_;  // a stack; its top is the lowest id after construction
};

}  // namespace ds4
