#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "base/result.hpp"

namespace ds4 {

/// A file that is written beside the place it takes at the end, so that a reader, a crash and a
/// full disk find the old file or the new one whole.
///
/// Destroyed without finish() it leaves nothing behind. Errors of all members: io, naming the path;
/// errno then still holds the system's reason.
class NewFile {
 public:
  /// Who may read the file besides its owner.
  enum class Access { usual /**< what the process's mask allows */, owner_only };

  static Result<NewFile> create(const std::filesystem::path& path, Access access);

  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  /// Gives the file these permission bits instead.
  Result<void> set_mode(unsigned bits);
  /// Makes the file this long; what is never written reads as zeros and occupies no disk.
  Result<void> resize(std::uint64_t bytes);
  /// Appends.
  Result<void> write(std::span<const std::byte> bytes);
  Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes);

  /// Writes all to the disk. Some file systems report a full disk only here.
  Result<void> flush();
  /// Flushes and puts the file in its place; a power cut after this leaves it there.
  Result<void> finish();

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  NewFile() = default;

  std::filesystem::path path_;
  std::filesystem::path temporary_;  ///< empty once it is in place
  int descriptor_ = -1;
};

/// Appends to an open descriptor, however many calls it takes. False: errno says why.
[[nodiscard]] bool write_all(int descriptor, std::span<const std::byte> bytes) noexcept;

}  // namespace ds4
