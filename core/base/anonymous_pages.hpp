#pragma once

#include <cstddef>

namespace ds4 {

/// Memory of its own pages, which the system fills when they are first touched and gets back at
/// the end. Large pages are asked for: it is only a wish.
class AnonymousPages {
 public:
  /// Check is_there(): the system may have no room for them.
  explicit AnonymousPages(std::size_t bytes);
  ~AnonymousPages();
  AnonymousPages(const AnonymousPages&) = delete;
  AnonymousPages& operator=(const AnonymousPages&) = delete;

  [[nodiscard]] bool is_there() const noexcept { return data_ != nullptr; }
  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::size_t bytes_;
  std::byte* data_ = nullptr;
};

}  // namespace ds4
