#include "engine/session_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/mapped_file.hpp"
#include "base/new_file.hpp"
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
  DS4_TRY(NewFile file, NewFile::create(target, NewFile::Access::owner_only));
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
