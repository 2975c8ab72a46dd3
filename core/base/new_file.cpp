#include "base/new_file.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
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

/// Six characters at random; false: errno says why there are none.
bool draw_suffix(std::string& out) {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  static_assert(kLetters.size() == 64);
  std::array<unsigned char, 6> drawn{};
  if (::getentropy(drawn.data(), drawn.size()) != 0) return false;
  out.clear();
  for (const unsigned char byte : drawn) out += kLetters[byte % kLetters.size()];
  return true;
}

/// Makes a file beside `path` that nobody else has and puts its name into `name`; -1: errno says
/// why not. The system itself takes the process's mask off `mode` when it makes the file: a mask
/// can be asked for only by changing it, which other threads that make files would see.
int open_beside(const std::filesystem::path& path, mode_t mode, std::filesystem::path& name) {
  constexpr int kTries = 100;
  std::string suffix;
  for (int i = 0; i < kTries; ++i) {
    if (!draw_suffix(suffix)) return -1;
    name = path.string() + ".partial-" + suffix;
    const int made = ::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (made >= 0 || errno != EEXIST) return made;
  }
  return -1;
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
  std::filesystem::path name;
  file.descriptor_ = open_beside(path, access == Access::usual ? 0666 : 0600, name);
  if (file.descriptor_ < 0) return system_error(path, "cannot be written");
  file.temporary_ = std::move(name);
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
