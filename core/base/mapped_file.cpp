#include "base/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/checked.hpp"

namespace ds4 {

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  MappedFile file;
  file.path_ = path;
  file.descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file.descriptor_ < 0) {
    return fail(errno == ENOENT ? Errc::not_found : Errc::io, path.string(),
                ": cannot open: ", std::strerror(errno));
  }
  struct stat info {};
  if (::fstat(file.descriptor_, &info) != 0) {
    return fail(Errc::io, path.string(), ": cannot stat: ", std::strerror(errno));
  }
  if (!S_ISREG(info.st_mode)) return fail(Errc::io, path.string(), ": is not a regular file");
  file.size_ = static_cast<std::size_t>(info.st_size);
  if (file.size_ == 0) return file;
  void* data = ::mmap(nullptr, file.size_, PROT_READ, MAP_SHARED, file.descriptor_, 0);
  if (data == MAP_FAILED) {
    return fail(Errc::io, path.string(), ": cannot map ", file.size_,
                " bytes: ", std::strerror(errno));
  }
  file.data_ = static_cast<const std::byte*>(data);
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
  if (descriptor_ >= 0) ::close(descriptor_);
}

void MappedFile::release(std::span<const std::byte> range) const noexcept {
  const long page = ::sysconf(_SC_PAGESIZE);
  if (page <= 0 || range.empty()) return;
  const auto unit = static_cast<std::uint64_t>(page);
  const auto first = static_cast<std::uint64_t>(range.data() - data_);
  const std::uint64_t begin = round_up(first, unit);
  // The last page of the file has nothing behind it that could be another's.
  const std::uint64_t last = first + range.size();
  const std::uint64_t end = last == size_ ? round_up(last, unit) : last & ~(unit - 1);
  if (begin >= end) return;
  // Advice that is not taken costs memory, nothing else.
  (void)::madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_DONTNEED);
}

Result<void> MappedFile::read(std::uint64_t offset, std::span<std::byte> out) const {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = ::pread(descriptor_, out.data() + done, out.size() - done,
                                static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return fail(Errc::io, path_.string(), ": cannot read ", out.size(), " bytes at ", offset,
                  ": ", std::strerror(errno));
    }
    if (got == 0) {
      return fail(Errc::io, path_.string(), ": the file ends at ", offset + done, ", ", out.size(),
                  " bytes at ", offset, " were wanted: it changed after it was opened");
    }
    done += static_cast<std::size_t>(got);
  }
  return {};
}

bool MappedFile::unchanged() const noexcept {
  struct stat info {};
  return ::fstat(descriptor_, &info) == 0 && static_cast<std::size_t>(info.st_size) == size_;
}

}  // namespace ds4
