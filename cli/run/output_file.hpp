#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace ds4::run {

/// A file that is written in one go at the end of long work, opened before it: a path that cannot
/// be written is known at once, and what was there before stays until the new text is complete.
///
/// A regular file is written beside its place and renamed onto it; a device or pipe (/dev/stdout),
/// a file whose folder takes no new ones and one that is mounted in its place are written directly.
/// Destroyed without commit() it leaves nothing behind.
class OutputFile {
 public:
  /// Errors: io, naming the path.
  static Result<OutputFile> open(const std::string& path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  /// Writes everything and puts the file in its place. Errors: io; the old file is then untouched.
  Result<void> commit(std::string_view bytes);

 private:
  OutputFile() = default;
  Result<void> write(std::string_view bytes);

  std::string path_;
  std::string temporary_;  ///< empty: written directly
  int descriptor_ = -1;
};

}  // namespace ds4::run
