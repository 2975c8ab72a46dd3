#include <boost/test/unit_test.hpp>

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "common/files.hpp"
#include "common/output_file.hpp"

namespace ds4::cli {
namespace {

namespace fs = std::filesystem;

struct Folder {
  Folder() : path(fs::temp_directory_path() / ("ds4-output-" + std::to_string(::getpid()))) {
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
  [[nodiscard]] std::string file(const char* name) const { return (path / name).string(); }
  [[nodiscard]] std::ptrdiff_t entries() const {
    return std::distance(fs::directory_iterator(path), fs::directory_iterator());
  }
  fs::path path;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(output_file, Folder)

BOOST_AUTO_TEST_CASE(what_was_there_stays_until_the_new_text_is_complete) {
  std::ofstream(file("a")) << "old";
  {
    auto out = OutputFile::open(file("a"));
    BOOST_REQUIRE(out);
    BOOST_TEST(*read_file(file("a")) == "old");
  }
  BOOST_TEST(*read_file(file("a")) == "old");
  BOOST_TEST(entries() == 1);
  auto out = OutputFile::open(file("a"));
  BOOST_REQUIRE(out);
  BOOST_REQUIRE(out->commit("new"));
  BOOST_TEST(*read_file(file("a")) == "new");
  BOOST_TEST(entries() == 1);
}

BOOST_AUTO_TEST_CASE(the_mode_of_a_replaced_file_is_kept_and_a_link_stays_a_link) {
  std::ofstream(file("a")) << "old";
  BOOST_REQUIRE(::chmod(file("a").c_str(), 0640) == 0);
  fs::create_symlink(file("a"), file("b"));
  auto out = OutputFile::open(file("b"));
  BOOST_REQUIRE(out);
  BOOST_REQUIRE(out->commit("new"));
  BOOST_TEST(fs::is_symlink(file("b")));
  BOOST_TEST(*read_file(file("a")) == "new");
  struct stat facts {};
  BOOST_REQUIRE(::stat(file("a").c_str(), &facts) == 0);
  BOOST_TEST((facts.st_mode & 0777U) == 0640U);
}

BOOST_AUTO_TEST_CASE(a_path_that_cannot_be_written_is_known_before_the_work) {
  for (const std::string& place : {file("none/a"), path.string()}) {
    const auto out = OutputFile::open(place);
    BOOST_REQUIRE(!out);
    BOOST_TEST(out.error().what.find(place) != std::string::npos, out.error().what);
  }
}

BOOST_AUTO_TEST_CASE(a_device_is_written_directly) {
  auto out = OutputFile::open("/dev/null");
  BOOST_REQUIRE(out);
  BOOST_TEST(out->commit("gone").ok());
  BOOST_TEST(fs::is_character_file("/dev/null"));
}

// As a container does it with a file of its host: nothing can be renamed onto such a file.
BOOST_AUTO_TEST_CASE(a_file_that_is_mounted_in_its_place_takes_the_text) {
  constexpr int kNoMounts = 77;
  std::ofstream(file("a")) << "old and longer";
  const pid_t child = ::fork();
  BOOST_TEST_REQUIRE(child >= 0);
  if (child == 0) {
    const std::string place = file("a");
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount(place.c_str(), place.c_str(), nullptr, MS_BIND, nullptr) != 0) {
      ::_exit(kNoMounts);
    }
    auto out = OutputFile::open(place);
    const bool is_written = out && out->commit("new");
    ::_exit(is_written && *read_file(place) == "new" ? 0 : 1);
  }
  int status = -1;
  BOOST_TEST_REQUIRE(::waitpid(child, &status, 0) == child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNoMounts) {
    BOOST_TEST_MESSAGE("skipped: no mounts of its own for this process");
    return;
  }
  BOOST_TEST(status == 0);
  BOOST_TEST(*read_file(file("a")) == "new");
  BOOST_TEST(entries() == 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::cli
