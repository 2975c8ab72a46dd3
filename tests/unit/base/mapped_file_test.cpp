#include "base/mapped_file.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <fstream>

namespace ds4 {
namespace {

struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "ds4-map-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::filesystem::path write(const char* name, std::string_view text) const {
    std::ofstream(path / name) << text;
    return path / name;
  }
  /// As many bytes as there are, where they are.
  void overwrite(const char* name, std::string_view text) const {
    std::fstream(path / name, std::ios::in | std::ios::out) << text;
  }
  std::filesystem::path path;
};

/// kB of this process that lie in memory.
long resident_kb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::strtol(line.c_str() + 6, nullptr, 10);
  }
  return 0;
}

long sum(std::span<const std::byte> bytes) {
  long total = 0;
  for (const std::byte b : bytes) total += std::to_integer<long>(b);
  return total;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(mapped_file)

BOOST_AUTO_TEST_CASE(bytes_are_those_of_the_file_and_move_with_the_object) {
  const Folder folder;
  MappedFile first = *MappedFile::open(folder.write("a", "hello"));
  const MappedFile second = std::move(first);
  BOOST_TEST(second.bytes().size() == 5U);
  BOOST_TEST((second.bytes()[4] == std::byte{'o'}));
  BOOST_TEST(first.bytes().empty());
  BOOST_TEST(second.unchanged());
}

BOOST_AUTO_TEST_CASE(a_file_that_shrinks_is_noticed) {
  const Folder folder;
  const auto path = folder.write("a", "hello");
  const MappedFile file = *MappedFile::open(path);
  std::filesystem::resize_file(path, 2);
  BOOST_TEST(!file.unchanged());
}

BOOST_AUTO_TEST_CASE(an_empty_file_has_no_bytes) {
  const Folder folder;
  BOOST_TEST(MappedFile::open(folder.write("a", ""))->bytes().empty());
}

BOOST_AUTO_TEST_CASE(what_is_no_regular_file_is_refused_by_name) {
  const Folder folder;
  const auto missing = MappedFile::open(folder.path / "nothing");
  BOOST_REQUIRE(!missing);
  BOOST_TEST((missing.error().code == Errc::not_found));
  const auto directory = MappedFile::open(folder.path);
  BOOST_REQUIRE(!directory);
  BOOST_TEST(directory.error().what == folder.path.string() + ": is not a regular file");
}

BOOST_AUTO_TEST_CASE(released_pages_leave_and_come_back) {
  constexpr std::size_t kBytes = 32U << 20;
  const Folder folder;
  const MappedFile file = *MappedFile::open(folder.write("a", std::string(kBytes, '\x01')));
  const long before = resident_kb();
  BOOST_TEST(sum(file.bytes()) == static_cast<long>(kBytes));
  const long held = resident_kb();
  BOOST_TEST(held - before > 24 * 1024);
  file.release(file.bytes());
  BOOST_TEST(held - resident_kb() > 24 * 1024);
  BOOST_TEST(sum(file.bytes()) == static_cast<long>(kBytes));
  // Parts that hold no whole page, and none at all.
  file.release(file.bytes().subspan(5, 100));
  file.release({});
  BOOST_TEST(sum(file.bytes().first(10)) == 10);
}

BOOST_AUTO_TEST_CASE(a_head_that_is_kept_outlives_the_file) {
  const Folder folder;
  const std::string text(3 * 65536 + 5, '\x02');
  const auto path = folder.write("a", text);
  MappedFile first = *MappedFile::open(path);
  const std::byte* const before = first.bytes().data();
  BOOST_TEST(first.keep_head(65536 + 1).ok());
  const MappedFile file = std::move(first);
  BOOST_TEST(file.bytes().data() == before);
  BOOST_TEST(sum(file.bytes()) == 2 * static_cast<long>(text.size()));
  file.release(file.bytes());  // takes nothing of what the file no longer backs
  BOOST_TEST(sum(file.bytes()) == 2 * static_cast<long>(text.size()));
  std::filesystem::resize_file(path, 0);
  BOOST_TEST(sum(file.bytes().first(65536 + 1)) == 2 * (65536 + 1));
}

BOOST_AUTO_TEST_CASE(a_head_beyond_the_file_is_not_kept) {
  const Folder folder;
  MappedFile file = *MappedFile::open(folder.write("a", "hello"));
  BOOST_TEST(file.keep_head(6).ok());
  BOOST_TEST(file.keep_head(0).ok());
  // What was not kept is the file's still, as somebody else writes it.
  folder.overwrite("a", "jelly");
  BOOST_TEST((file.bytes()[0] == std::byte{'j'}));
  BOOST_TEST(file.keep_head(5).ok());
  folder.overwrite("a", "hello");
  BOOST_TEST((file.bytes()[0] == std::byte{'j'}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4
