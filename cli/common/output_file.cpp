#include "common/output_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>
#include <utility>

namespace ds4::cli {
namespace {

Error cannot_write(const std::string& path) {
  return fail(Errc::io, path, ": cannot be written: ", std::strerror(errno));
}

}  // namespace

Result<OutputFile> OutputFile::open_in_place(const std::string& path) {
  OutputFile file;
  file.path_ = path;
  file.in_place_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file.in_place_ < 0) return cannot_write(path);
  return file;
}

Result<OutputFile> OutputFile::open(const std::string& path) {
  struct stat facts {};
  const bool exists = ::stat(path.c_str(), &facts) == 0;
  if (exists && !S_ISREG(facts.st_mode)) return open_in_place(path);
  OutputFile file;
  file.path_ = path;
  if (exists) {
    if (::access(path.c_str(), W_OK) != 0) return cannot_write(path);
    // A link stays one: what it leads to is replaced.
    std::error_code failed;
    const std::filesystem::path target = std::filesystem::canonical(path, failed);
    if (!failed) file.path_ = target.string();
  }
  auto beside = NewFile::create(file.path_, NewFile::Access::usual);
  if (!beside) {
    // Nothing new may appear in this folder: the file itself is written, at the end.
    const bool is_closed_folder = errno == EACCES || errno == EPERM || errno == EROFS;
    if (exists && is_closed_folder) return open_in_place(file.path_);
    return beside.error();
  }
  file.beside_.emplace(std::move(*beside));
  if (exists) DS4_CHECK(file.beside_->set_mode(facts.st_mode & 07777U));
  return file;
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      beside_(std::move(other.beside_)),
      in_place_(std::exchange(other.in_place_, -1)) {}

OutputFile::~OutputFile() {
  if (in_place_ >= 0) ::close(in_place_);
}

Result<void> OutputFile::write_in_place(std::string_view bytes) {
  // What was there loses its old end; a device has none.
  if (::ftruncate(in_place_, 0) != 0 && errno != EINVAL) return cannot_write(path_);
  if (!write_all(in_place_, std::as_bytes(std::span(bytes)))) return cannot_write(path_);
  if (::close(std::exchange(in_place_, -1)) != 0) return cannot_write(path_);
  return {};
}

Result<void> OutputFile::commit(std::string_view bytes) {
  if (!beside_) return write_in_place(bytes);
  DS4_CHECK(beside_->write(std::as_bytes(std::span(bytes))));
  auto placed = beside_->finish();
  if (placed || (errno != EBUSY && errno != EXDEV)) return placed;
  // A file that is mounted into a container keeps its place: it takes the text instead.
  beside_.reset();
  in_place_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
  if (in_place_ < 0) return cannot_write(path_);
  return write_in_place(bytes);
}

Result<void> write_output(const std::string& path, std::string_view text) {
  DS4_TRY(OutputFile file, OutputFile::open(path));
  return file.commit(text);
}

}  // namespace ds4::cli
