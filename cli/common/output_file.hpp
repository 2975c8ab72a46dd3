#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/new_file.hpp"

namespace ds4::cli {

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
  static Result<OutputFile> open_in_place(const std::string& path);
  Result<void> write_in_place(std::string_view bytes);

  std::string path_;
  std::optional<NewFile> beside_;
  int in_place_ = -1;  ///< where there is no file beside
};

/// Opens and writes in one go. Errors: those of OutputFile.
Result<void> write_output(const std::string& path, std::string_view text);

}  // namespace ds4::cli
