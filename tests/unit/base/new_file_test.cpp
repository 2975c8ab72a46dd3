#include "base/new_file.hpp"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

namespace ds4 {
namespace {

namespace fs = std::filesystem;

struct Folder {
  Folder() {
    std::string name = (fs::temp_directory_path() / "ds4-new-XXXXXX").string();
    path = ::mkdtemp(name.data());
    std::ofstream(path / "a") << "old";
  }
  ~Folder() { fs::remove_all(path); }
  [[nodiscard]] std::string text() const {
    std::ifstream file(path / "a", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  [[nodiscard]] std::ptrdiff_t entries() const {
    return std::distance(fs::directory_iterator(path), fs::directory_iterator());
  }
  [[nodiscard]] unsigned mode() const {
    struct stat facts {};
    return ::stat((path / "a").c_str(), &facts) == 0 ? facts.st_mode & 0777U : 0;
  }
  fs::path path;
};

std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(new_file, Folder)

BOOST_AUTO_TEST_CASE(the_old_file_stays_whole_until_the_new_one_is) {
  {
    auto file = NewFile::create(path / "a", NewFile::Access::usual);
    BOOST_TEST_REQUIRE(file.ok());
    BOOST_TEST(file->write(bytes("half")).ok());
    BOOST_TEST(text() == "old");
    BOOST_TEST(entries() == 2);
  }
  BOOST_TEST(text() == "old");
  BOOST_TEST(entries() == 1);
}

BOOST_AUTO_TEST_CASE(finished_it_takes_its_place_with_the_mode_that_was_asked_for) {
  const mode_t mask = ::umask(022);
  for (const auto& [access, expected] :
       {std::pair(NewFile::Access::usual, 0644U), std::pair(NewFile::Access::owner_only, 0600U)}) {
    auto file = NewFile::create(path / "a", access);
    BOOST_TEST_REQUIRE(file.ok());
    BOOST_TEST(file->write(bytes("new")).ok());
    BOOST_TEST(file->write(bytes(" text")).ok());
    BOOST_TEST(file->finish().ok());
    BOOST_TEST(text() == "new text");
    BOOST_TEST(mode() == expected);
    BOOST_TEST(entries() == 1);
  }
  ::umask(mask);
}

BOOST_AUTO_TEST_CASE(no_other_thread_sees_another_mask_while_files_are_made) {
  const mode_t mask = ::umask(077);
  std::atomic<bool> is_done{false};
  unsigned seen = 0;
  // What a thread sees that makes files of its own meanwhile.
  std::thread other([&] {
    for (int i = 0; !is_done; ++i) {
      const fs::path name = path / ("other-" + std::to_string(i % 2));
      const int made = ::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      struct stat facts {};
      if (made >= 0 && ::fstat(made, &facts) == 0) seen |= facts.st_mode & 077U;
      ::close(made);
      ::unlink(name.c_str());
    }
  });
  for (int i = 0; i < 2000; ++i) {
    BOOST_TEST_REQUIRE(NewFile::create(path / "a", NewFile::Access::usual).ok());
  }
  is_done = true;
  other.join();
  ::umask(mask);
  BOOST_TEST(seen == 0U);
}

BOOST_AUTO_TEST_CASE(files_that_are_made_at_once_have_names_of_their_own) {
  std::vector<NewFile> files;
  for (int i = 0; i < 50; ++i) {
    auto file = NewFile::create(path / "a", NewFile::Access::usual);
    BOOST_TEST_REQUIRE(file.ok());
    files.push_back(*std::move(file));
  }
  BOOST_TEST(entries() == 51);
}

BOOST_AUTO_TEST_CASE(what_is_never_written_is_a_hole) {
  auto file = NewFile::create(path / "a", NewFile::Access::usual);
  BOOST_TEST_REQUIRE(file.ok());
  BOOST_TEST(file->resize(std::uint64_t{1} << 40).ok());
  BOOST_TEST(file->write_at((std::uint64_t{1} << 40) - 4, bytes("tail")).ok());
  BOOST_TEST(file->finish().ok());
  struct stat facts {};
  BOOST_TEST_REQUIRE(::stat((path / "a").c_str(), &facts) == 0);
  BOOST_TEST(facts.st_size == std::int64_t{1} << 40);
  BOOST_TEST(facts.st_blocks < 1024);
}

BOOST_AUTO_TEST_CASE(a_folder_that_is_not_there_is_named) {
  const auto file = NewFile::create(path / "none" / "a", NewFile::Access::usual);
  BOOST_TEST_REQUIRE(!file.ok());
  BOOST_TEST(int(file.error().code) == int(Errc::io));
  BOOST_TEST(file.error().what ==
             (path / "none" / "a").string() + ": cannot be written: No such file or directory");
}

// A limit of the process stands for a disk that is full: write() fails half way.
BOOST_AUTO_TEST_CASE(a_disk_that_is_full_leaves_the_old_file_and_nothing_else) {
  const pid_t child = ::fork();
  BOOST_TEST_REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100, 100};
    bool is_told = ::setrlimit(RLIMIT_FSIZE, &limit) == 0;
    {
      auto file = NewFile::create(path / "a", NewFile::Access::usual);
      is_told = is_told && file && file->write(bytes(std::string(90, 'x'))).ok();
      const auto full = is_told ? file->write(bytes(std::string(90, 'x'))) : Result<void>{};
      is_told =
          !full && full.error().what.find("cannot be written: File too large") != std::string::npos;
      is_told = is_told && !file->write_at(200, bytes("x")).ok() && !file->resize(300).ok();
    }
    ::_exit(is_told ? 0 : 1);
  }
  int status = -1;
  BOOST_TEST(::waitpid(child, &status, 0) == child);
  BOOST_TEST(status == 0);
  BOOST_TEST(text() == "old");
  BOOST_TEST(entries() == 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4
