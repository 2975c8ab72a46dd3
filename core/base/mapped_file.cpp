#include "base/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
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
  // Only a pipe could have kept open() waiting; a queue of reads may take the flag at its word.
  (void)::fcntl(file.descriptor_, F_SETFL, 0);
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
      kept_(std::exchange(other.kept_, 0)),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(kept_, other.kept_);
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
  // What was copied has no file to come back from.
  const std::uint64_t begin = std::max<std::uint64_t>(round_up(first, unit), kept_);
  // The last page of the file has nothing behind it that could be another's.
  const std::uint64_t last = first + range.size();
  const std::uint64_t end = last == size_ ? round_up(last, unit) : last & ~(unit - 1);
  if (begin >= end) return;
  // Advice that is not taken costs memory, nothing else.
  (void)::madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_DONTNEED);
}

Result<void> MappedFile::keep_head(std::uint64_t bytes) {
  const long page = ::sysconf(_SC_PAGESIZE);
  if (page <= 0 || bytes == 0 || bytes > size_ || kept_ != 0) return {};
  const std::uint64_t length = round_up(bytes, static_cast<std::uint64_t>(page));
  void* const copy =
      ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (copy == MAP_FAILED) return {};
  const Result<void> done =
      read(0, {static_cast<std::byte*>(copy), std::min<std::uint64_t>(length, size_)});
  if (!done) {
    ::munmap(copy, length);
    return done;
  }
  (void)::mprotect(copy, length, PROT_READ);
  void* const place = const_cast<std::byte*>(data_);
  if (::mremap(copy, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, place) == MAP_FAILED) {
    const int why = errno;
    ::munmap(copy, length);
    // The file's own pages may be gone from there by now.
    if (::mmap(place, length, PROT_READ, MAP_SHARED | MAP_FIXED, descriptor_, 0) == MAP_FAILED) {
      return fail(Errc::io, path_.string(), ": its first ", length,
                  " bytes cannot be mapped again: ", std::strerror(why));
    }
    return {};
  }
  kept_ = length;
  return {};
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
