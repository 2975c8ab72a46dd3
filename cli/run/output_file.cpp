#include "run/output_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

namespace ds4::run {
namespace {

Error cannot_write(const std::string& path) {
  return fail(Errc::io, "cannot write ", path, ": ", std::strerror(errno));
}

mode_t usual_mode() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return static_cast<mode_t>(0666) & ~mask;
}

}  // namespace

Result<OutputFile> OutputFile::open(const std::string& path) {
  OutputFile file;
  file.path_ = path;
  struct stat facts {};
  const bool exists = ::stat(path.c_str(), &facts) == 0;
  if (exists && !S_ISREG(facts.st_mode)) {
    file.descriptor_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (file.descriptor_ < 0) return cannot_write(path);
    return file;
  }
  if (exists) {
    if (::access(path.c_str(), W_OK) != 0) return cannot_write(path);
    // A link stays one: what it leads to is replaced.
    std::error_code failed;
    const std::filesystem::path target = std::filesystem::canonical(path, failed);
    if (!failed) file.path_ = target.string();
  }
  std::string pattern = file.path_ + ".partial-XXXXXX";
  file.descriptor_ = ::mkostemp(pattern.data(), O_CLOEXEC);
  if (file.descriptor_ < 0 && exists && (errno == EACCES || errno == EPERM || errno == EROFS)) {
    // Nothing new may appear in this folder: the file itself is written, at the end.
    file.descriptor_ = ::open(file.path_.c_str(), O_WRONLY | O_CLOEXEC);
    if (file.descriptor_ < 0) return cannot_write(path);
    return file;
  }
  if (file.descriptor_ < 0) return cannot_write(path);
  file.temporary_ = pattern;
  const mode_t mode = exists ? facts.st_mode & static_cast<mode_t>(07777) : usual_mode();
  if (::fchmod(file.descriptor_, mode) != 0) return cannot_write(path);
  return file;
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Result<void> OutputFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(descriptor_, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return cannot_write(path_);
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  return {};
}

Result<void> OutputFile::commit(std::string_view bytes) {
  // A file written in its place loses its old end; a device has none.
  if (temporary_.empty() && ::ftruncate(descriptor_, 0) != 0 && errno != EINVAL) {
    return cannot_write(path_);
  }
  DS4_CHECK(write(bytes));
  if (!temporary_.empty() && ::fsync(descriptor_) != 0) return cannot_write(path_);
  if (::close(std::exchange(descriptor_, -1)) != 0) return cannot_write(path_);
  if (temporary_.empty()) return {};
  if (::rename(temporary_.c_str(), path_.c_str()) == 0) {
    temporary_.clear();
    return {};
  }
  if (errno != EBUSY && errno != EXDEV) return cannot_write(path_);
  // A file that is mounted into a container keeps its place: it takes the text instead.
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  if (descriptor_ < 0) return cannot_write(path_);
  DS4_CHECK(write(bytes));
  if (::close(std::exchange(descriptor_, -1)) != 0) return cannot_write(path_);
  return {};
}

}  // namespace ds4::run
