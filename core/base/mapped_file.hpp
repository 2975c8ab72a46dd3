#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "base/result.hpp"

namespace ds4 {

/// A regular file mapped read-only for as long as the object lives.
///
/// The size is that of the opened descriptor. A file that another program truncates while it is
/// mapped raises a bus error on access; `unchanged()` re-checks before a long read.
class MappedFile {
 public:
  /// Errors: not_found, io (not a regular file, no permission, mapping refused).
  static Result<MappedFile> open(const std::filesystem::path& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  /// All bytes; empty for an empty file. Page aligned.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  /// Gives the pages of a part of bytes() back; reading it again brings them back from the file.
  /// Only whole pages go, so the neighbours of `range` keep theirs.
  void release(std::span<const std::byte> range) const noexcept;
  /// Copies the first `bytes` bytes into memory of this process, in whole pages and at the same
  /// addresses: a file that is cut later does not take them away. Where the system refuses the
  /// memory, they stay mapped. Errors: io.
  Result<void> keep_head(std::uint64_t bytes);
  /// Bytes from `offset` on into `out`, read and not mapped: no page of bytes() becomes resident.
  /// Errors: io, saying where the file ends when it is shorter than it was at open.
  Result<void> read(std::uint64_t offset, std::span<std::byte> out) const;
  /// False when the file on disk no longer has the size it had at open.
  [[nodiscard]] bool unchanged() const noexcept;
  /// For reads beside the mapping; the object keeps it.
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

 private:
  MappedFile() = default;
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t kept_ = 0;  ///< bytes at the front that are no longer the file's pages
  int descriptor_ = -1;
};

}  // namespace ds4
