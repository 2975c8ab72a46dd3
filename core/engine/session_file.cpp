#include "engine/session_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/mapped_file.hpp"
#include "kv/snapshot.hpp"

namespace ds4 {
namespace {

namespace fs = std::filesystem;

/// Closes a descriptor when it goes.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool is_open() const { return number_ >= 0; }
  /// Some file systems report a full disk only here.
  [[nodiscard]] bool close() { return ::close(std::exchange(number_, -1)) == 0; }

 private:
  int number_;
};

Error system_error(const fs::path& path, const char* what) {
  const int reason = errno;
  return fail(reason == ENOENT ? Errc::not_found : Errc::io, path.string(), ": ", what, ": ",
              std::strerror(reason));
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

/// The file that saving to `path` replaces: where links lead. A device or a pipe is not replaced.
Result<fs::path> target_of(const fs::path& path) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (!fs::exists(status)) return path;
  if (fs::is_directory(status)) return fail(Errc::io, path.string(), ": is a folder; name a file");
  if (!fs::is_regular_file(status)) {
    return fail(Errc::io, path.string(), ": is no regular file; name another for the session");
  }
  fs::path target = fs::canonical(path, code);
  return code ? path : target;
}

/// A file under a name of its own beside the one that it becomes; removed unless it does.
class NewFile {
 public:
  explicit NewFile(const fs::path& path)
      : path_(path),
        temporary_(path.string() + ".tmp." + std::to_string(::getpid()) + "." +
                   std::to_string(counter_.fetch_add(1))),
        file_(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) {}
  ~NewFile() {
    if (file_.is_open() && !is_done_) ::unlink(temporary_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  [[nodiscard]] bool is_open() const { return file_.is_open(); }

  Result<void> write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::write(file_.number(), bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return system_error(path_, "cannot be written");
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return {};
  }

  /// After this a power cut leaves the old file or the new one.
  Result<void> finish() {
    if (::fsync(file_.number()) != 0) return system_error(path_, "cannot be flushed to the disk");
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
      return system_error(path_, "cannot be put in place");
    }
    is_done_ = true;
    if (!file_.close()) return system_error(path_, "cannot be closed");
    const Descriptor folder(::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // Some file systems have no such call for folders.
    if (folder.is_open() && ::fsync(folder.number()) != 0 && errno != EINVAL) {
      return system_error(path_, "the folder cannot be flushed to the disk");
    }
    return {};
  }

 private:
  static inline std::atomic<unsigned> counter_{0};
  fs::path path_;
  std::string temporary_;
  Descriptor file_;
  bool is_done_ = false;
};

}  // namespace

Result<void> check_session_file(const fs::path& path) {
  DS4_TRY(const fs::path target, target_of(path));
  const fs::path folder = folder_of(target);
  if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    return system_error(folder, "no session can be saved there");
  }
  return {};
}

Result<void> save_session(Engine& engine, SessionId session, const fs::path& path) {
  DS4_TRY(const fs::path target, target_of(path));
  NewFile file(target);
  if (!file.is_open()) return system_error(path, "cannot be written");
  if (auto written = engine.snapshot(
          session, [&file](std::span<const std::byte> bytes) { return file.write(bytes); },
          SnapshotContent::with_restore_points);
      !written) {
    return written.error();
  }
  return file.finish();
}

Result<void> check_saved_session(const fs::path& path) {
  // Without O_NONBLOCK a pipe without a writer would hold us here.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open()) return system_error(path, "cannot be opened");
  struct stat facts {};
  if (::fstat(file.number(), &facts) != 0) return system_error(path, "cannot be read");
  if (!S_ISREG(facts.st_mode)) {
    return fail(Errc::io, path.string(), ": is no regular file; name a file of --kv-save");
  }
  std::array<std::byte, kSnapshotMagic.size()> head{};
  const ssize_t count = ::pread(file.number(), head.data(), head.size(), 0);
  if (count < 0) return system_error(path, "cannot be read");
  if (count != static_cast<ssize_t>(head.size()) ||
      std::memcmp(head.data(), kSnapshotMagic.data(), head.size()) != 0) {
    return fail(Errc::bad_file, path.string(), ": is no saved session; --kv-save writes them");
  }
  return {};
}

Result<void> load_session(Engine& engine, SessionId session, const fs::path& path) {
  DS4_CHECK(check_saved_session(path));
  // Mapped, it takes no memory that the plan did not count: the system drops its pages at need.
  DS4_TRY(const MappedFile mapped, MappedFile::open(path));
  const std::span<const std::byte> bytes = mapped.bytes();
  const auto head = bytes.first(std::min<std::size_t>(bytes.size(), kSnapshotHeaderBytes));
  DS4_CHECK(engine.check_snapshot(head, bytes.size(), path.string()));
  if (!mapped.unchanged()) {
    return fail(Errc::io, path.string(), ": became shorter while it was read; try again");
  }
  return engine.restore(session, bytes, path.string());
}

}  // namespace ds4
