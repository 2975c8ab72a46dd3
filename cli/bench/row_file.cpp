#include "bench/row_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "base/new_file.hpp"

namespace ds4::bench {
namespace {

Error cannot_write(const std::string& path) {
  return fail(Errc::io, path, ": cannot be written: ", std::strerror(errno));
}

}  // namespace

Result<RowFile> RowFile::open(const std::string& path) {
  RowFile file;
  file.path_ = path;
  file.file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (file.file_ < 0) return cannot_write(path);
  struct stat kind {};
  file.is_regular_ = ::fstat(file.file_, &kind) == 0 && S_ISREG(kind.st_mode);
  return file;
}

RowFile::RowFile(RowFile&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)),
      is_regular_(other.is_regular_) {}

RowFile& RowFile::operator=(RowFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(file_, other.file_);
  std::swap(is_regular_, other.is_regular_);
  return *this;
}

RowFile::~RowFile() {
  if (file_ >= 0) ::close(file_);
}

Result<void> RowFile::begin(std::string_view head) {
  if (is_regular_ && ::ftruncate(file_, 0) != 0) return cannot_write(path_);
  return add(head);
}

Result<void> RowFile::add(std::string_view text) {
  if (write_all(file_, std::as_bytes(std::span(text)))) return {};
  return cannot_write(path_);
}

}  // namespace ds4::bench
