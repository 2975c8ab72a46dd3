#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace ds4::bench {

/// A file that rows are added to as they come, so that work that is stopped leaves what it has.
/// What it held before stays until begin().
class RowFile {
 public:
  /// Errors: io, naming the path.
  static Result<RowFile> open(const std::string& path);
  RowFile() = default;  ///< no file
  RowFile(RowFile&& other) noexcept;
  RowFile& operator=(RowFile&& other) noexcept;
  ~RowFile();

  [[nodiscard]] bool is_open() const noexcept { return file_ >= 0; }
  /// A file that others can lie beside; not a device or a pipe.
  [[nodiscard]] bool is_regular() const noexcept { return is_regular_; }

  /// Puts `head` in place of what the file held. Errors: io.
  Result<void> begin(std::string_view head);
  /// Errors: io.
  Result<void> add(std::string_view text);

 private:
  std::string path_;
  int file_ = -1;
  bool is_regular_ = false;
};

}  // namespace ds4::bench
