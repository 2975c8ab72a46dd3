#include "base/new_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

namespace ds4 {
namespace {

Error system_error(const std::filesystem::path& path, std::string_view what) {
  const int reason = errno;
  Error error = fail(Errc::io, path.string(), ": ", what, ": ", std::strerror(reason));
  errno = reason;
  return error;
}

mode_t usual_mode() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return static_cast<mode_t>(0666) & ~mask;
}

/// The new name lives in its folder, which has to reach the disk too.
Result<void> flush_folder(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return {};  // a folder may be written to and not read
  const int status = ::fsync(descriptor);
  const int reason = errno;
  ::close(descriptor);
  // Some file systems have no such call for folders.
  if (status == 0 || reason == EINVAL) return {};
  errno = reason;
  return system_error(path, "the folder cannot be flushed to the disk");
}

}  // namespace

bool write_all(int descriptor, std::span<const std::byte> bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t done = ::write(descriptor, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
  return true;
}

Result<NewFile> NewFile::create(const std::filesystem::path& path, Access access) {
  NewFile file;
  file.path_ = path;
  std::string pattern = path.string() + ".partial-XXXXXX";
  file.descriptor_ = ::mkostemp(pattern.data(), O_CLOEXEC);
  if (file.descriptor_ < 0) return system_error(path, "cannot be written");
  file.temporary_ = pattern;
  if (access == Access::usual) DS4_CHECK(file.set_mode(usual_mode()));
  return file;
}

NewFile::NewFile(NewFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

NewFile::~NewFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Result<void> NewFile::set_mode(unsigned bits) {
  if (::fchmod(descriptor_, static_cast<mode_t>(bits)) == 0) return {};
  return system_error(path_, "cannot be given its permissions");
}

Result<void> NewFile::resize(std::uint64_t bytes) {
  if (bytes > INT64_MAX) {
    return fail(Errc::io, path_.string(), ": no file can have ", bytes, " bytes");
  }
  if (::ftruncate(descriptor_, static_cast<off_t>(bytes)) == 0) return {};
  return system_error(path_, "cannot be written");
}

Result<void> NewFile::write(std::span<const std::byte> bytes) {
  if (write_all(descriptor_, bytes)) return {};
  return system_error(path_, "cannot be written");
}

Result<void> NewFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done =
        ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return system_error(path_, "cannot be written");
    offset += static_cast<std::uint64_t>(done);
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
  return {};
}

Result<void> NewFile::flush() {
  if (::fsync(descriptor_) == 0) return {};
  return system_error(path_, "cannot be flushed to the disk");
}

Result<void> NewFile::finish() {
  DS4_CHECK(flush());
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    return system_error(path_, "cannot be put in place");
  }
  temporary_.clear();
  if (::close(std::exchange(descriptor_, -1)) != 0) {
    return system_error(path_, "cannot be closed");
  }
  return flush_folder(path_);
}

}  // namespace ds4
