#include "base/file_reader.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

namespace ds4 {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kKiB = 1024;

std::byte value_at(std::uint64_t offset) {
  return static_cast<std::byte>((offset * 2654435761U) >> 13U);
}

/// A file of bytes that follow from their place, and a descriptor of it.
struct File {
  explicit File(std::uint64_t bytes) {
    std::string name = (fs::temp_directory_path() / "ds4-read-XXXXXX").string();
    folder = ::mkdtemp(name.data());
    path = folder / "file";
    std::string text(bytes, '\0');
    for (std::uint64_t i = 0; i < bytes; ++i) text[i] = static_cast<char>(value_at(i));
    std::ofstream(path, std::ios::binary) << text;
    descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  }
  ~File() {
    ::close(descriptor);
    fs::remove_all(folder);
  }
  fs::path folder;
  fs::path path;
  int descriptor = -1;
};

/// Those that this machine has.
std::vector<ReadEngine> engines() {
  const File file(1);
  std::vector<ReadEngine> list = {ReadEngine::threads};
  if (FileReader::open(file.descriptor, "f", {{0, 1, 1}}, ReadEngine::io_uring)) {
    list.push_back(ReadEngine::io_uring);
  } else {
    BOOST_TEST_MESSAGE("no io_uring here: only threads are tested");
  }
  return list;
}

std::unique_ptr<FileReader> open(int descriptor, std::vector<FileRange> ranges, ReadEngine engine,
                                 ReadFunction read = nullptr) {
  auto reader = FileReader::open(descriptor, "model", std::move(ranges), engine, read);
  BOOST_REQUIRE(reader.ok());
  BOOST_TEST(((*reader)->engine() == engine));
  return *std::move(reader);
}

/// Takes all pieces and checks their sizes and bytes.
void check_all(FileReader& reader, const std::vector<FileRange>& ranges) {
  for (const FileRange& range : ranges) {
    for (std::uint64_t at = 0; at < range.bytes; at += range.piece) {
      const auto bytes = reader.next();
      BOOST_REQUIRE(bytes.ok());
      BOOST_REQUIRE((*bytes).size() == std::min(range.piece, range.bytes - at));
      bool is_right = true;
      for (std::size_t i = 0; i < (*bytes).size(); ++i) {
        is_right = is_right && (*bytes)[i] == value_at(range.offset + at + i);
      }
      BOOST_TEST_REQUIRE(is_right);
    }
  }
  BOOST_TEST((*reader.next()).empty());
  BOOST_TEST((*reader.next()).empty());
}

std::string failure(FileReader& reader) {
  for (;;) {
    const auto bytes = reader.next();
    if (!bytes) {
      BOOST_TEST((bytes.error().code == Errc::io));
      return bytes.error().what;
    }
    if ((*bytes).empty()) return "";
  }
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::atomic<std::uint64_t> reads_begun{0};
std::atomic<std::uint64_t> reads_ended{0};

/// A few bytes a call, interrupted every other time.
ssize_t read_little(int descriptor, void* to, std::size_t bytes, off_t offset) {
  if (++reads_begun % 2 == 0) {
    errno = EINTR;
    return -1;
  }
  return ::pread(descriptor, to, std::min<std::size_t>(bytes, 700), offset);
}

ssize_t read_slowly(int descriptor, void* to, std::size_t bytes, off_t offset) {
  ++reads_begun;
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  ++reads_ended;
  return ::pread(descriptor, to, bytes, offset);
}

ssize_t count_reads(int descriptor, void* to, std::size_t bytes, off_t offset) {
  ++reads_begun;
  return ::pread(descriptor, to, bytes, offset);
}

/// A disk that has lost the sector at 100 KiB.
ssize_t read_damaged(int descriptor, void* to, std::size_t bytes, off_t offset) {
  constexpr off_t kLost = 100 * 1024;
  if (offset <= kLost && kLost < offset + static_cast<off_t>(bytes)) {
    if (offset < kLost) {
      return ::pread(descriptor, to, static_cast<std::size_t>(kLost - offset), offset);
    }
    errno = EIO;
    return -1;
  }
  return ::pread(descriptor, to, bytes, offset);
}

void check_slowed(ReadFunction read) {
  const File file(64 * kKiB);
  const std::vector<FileRange> ranges = {{5, 60 * kKiB, 7 * kKiB}};
  check_all(*open(file.descriptor, ranges, ReadEngine::threads, read), ranges);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(file_reader)

BOOST_AUTO_TEST_CASE(pieces_come_in_the_order_of_the_ranges) {
  const File file(3000 * kKiB + 77);
  // Ranges out of order, that overlap, of one byte, of none, ending with the file.
  const std::vector<FileRange> ranges = {{2000 * kKiB, 300 * kKiB + 1, 64 * kKiB},
                                         {0, 1, 4 * kKiB},
                                         {17, 0, 4 * kKiB},
                                         {3, 1000 * kKiB, 100 * kKiB},
                                         {4, 4096, 4096},
                                         {2900 * kKiB, 100 * kKiB + 77, 33}};
  for (const ReadEngine engine : engines()) {
    check_all(*open(file.descriptor, ranges, engine), ranges);
  }
}

BOOST_AUTO_TEST_CASE(the_best_engine_is_one_of_them) {
  const File file(10);
  const auto reader = FileReader::open(file.descriptor, "model", {{0, 10, 3}});
  BOOST_REQUIRE(reader.ok());
  BOOST_TEST(((*reader)->engine() != ReadEngine::best));
  check_all(**reader, {{0, 10, 3}});
}

BOOST_AUTO_TEST_CASE(nothing_to_read_needs_nothing) {
  for (const std::vector<FileRange>& ranges :
       {std::vector<FileRange>{}, std::vector<FileRange>{{7, 0, 4096}}}) {
    const auto reader = FileReader::open(-1, "model", ranges);
    BOOST_REQUIRE(reader.ok());
    BOOST_TEST((*(*reader)->next()).empty());
  }
}

BOOST_AUTO_TEST_CASE(read_ahead_is_bounded) {
  const auto size_of = [](std::vector<FileRange> ranges) {
    ReadAheadSize size;
    for (const FileRange& range : ranges) size.add(range);
    return size;
  };
  BOOST_TEST(size_of({}).bytes() == 0U);
  BOOST_TEST(size_of({{0, 0, 4096}}).bytes() == 0U);
  BOOST_TEST(size_of({{0, 5000, 1 << 20}}).bytes() == 8192U);  // one piece, in whole pages
  BOOST_TEST(size_of({{0, 8000, 4096}, {0, 100, 4096}}).bytes() == 3 * 4096U);
  BOOST_TEST(size_of({{0, 1ULL << 40, 4 << 20}}).bytes() == 32U << 20);
  BOOST_TEST(size_of({{0, 1ULL << 40, 64 << 20}}).bytes() == 256U << 20);

  // No more pieces are begun than there are slots, however long the caller takes.
  const File file(400 * kKiB);
  reads_begun = 0;
  const auto reader =
      open(file.descriptor, {{0, 400 * kKiB, 4 * kKiB}}, ReadEngine::threads, count_reads);
  const auto wait_for = [](std::uint64_t count) {
    for (int i = 0; i < 2000 && reads_begun < count; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return reads_begun.load();
  };
  BOOST_TEST(wait_for(8) == 8U);
  BOOST_REQUIRE(reader->next().ok());
  BOOST_TEST(wait_for(8) == 8U);  // the caller still works on the first one
  BOOST_REQUIRE(reader->next().ok());
  BOOST_TEST(wait_for(9) == 9U);
}

BOOST_AUTO_TEST_CASE(short_and_interrupted_reads_are_gone_on_with) {
  reads_begun = 0;
  check_slowed(read_little);
}

BOOST_AUTO_TEST_CASE(a_file_that_was_cut_is_named_with_the_place) {
  for (const ReadEngine engine : engines()) {
    const File file(40 * kKiB);
    fs::resize_file(file.path, 30 * kKiB + 5);
    const auto reader = open(file.descriptor, {{4 * kKiB, 36 * kKiB, 10 * kKiB}}, engine);
    BOOST_TEST(failure(*reader) ==
               "model: the file ended at byte 30725, 10240 bytes at 24576 were wanted: it was cut "
               "after it was opened; make it whole and start again");
    BOOST_TEST(contains(failure(*reader), "ended at byte 30725"));  // and so for ever
  }
}

BOOST_AUTO_TEST_CASE(a_file_may_be_cut_while_it_is_read) {
  for (const ReadEngine engine : engines()) {
    const File file(400 * kKiB);
    const auto reader = open(file.descriptor, {{0, 400 * kKiB, 4 * kKiB}}, engine);
    BOOST_REQUIRE(reader->next().ok());
    fs::resize_file(file.path, 0);
    BOOST_TEST(contains(failure(*reader), "it was cut after it was opened"));
  }
}

BOOST_AUTO_TEST_CASE(a_sector_that_cannot_be_read_is_named) {
  const File file(400 * kKiB);
  const auto reader =
      open(file.descriptor, {{0, 400 * kKiB, 24 * kKiB}}, ReadEngine::threads, read_damaged);
  for (int i = 0; i < 4; ++i) BOOST_REQUIRE(reader->next().ok());
  const std::string text = failure(*reader);
  BOOST_TEST(contains(text, "model: cannot read 20480 bytes at 102400: Input/output error; "));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_at_all_is_an_error) {
  for (const ReadEngine engine : engines()) {
    const File file(1);
    const int folder = ::open(file.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    BOOST_TEST(contains(failure(*open(folder, {{0, 100, 10}}, engine)), "Is a directory"));
    ::close(folder);
    // No memory lies at address 0: the kernel's own failing device.
    const int memory = ::open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    BOOST_TEST(contains(failure(*open(memory, {{0, 100, 10}}, engine)), "Input/output error"));
    ::close(memory);
    BOOST_TEST(contains(failure(*open(-1, {{0, 100, 10}}, engine)), "Bad file descriptor"));
  }
}

BOOST_AUTO_TEST_CASE(a_reader_may_go_while_it_reads) {
  const File file(400 * kKiB);
  for (const ReadEngine engine : engines()) {
    for (int taken = 0; taken < 20; ++taken) {
      const auto reader = open(file.descriptor, {{0, 400 * kKiB, 8 * kKiB}}, engine);
      for (int i = 0; i < taken; ++i) BOOST_REQUIRE(reader->next().ok());
    }
  }
  reads_begun = reads_ended = 0;
  {
    const auto reader =
        open(file.descriptor, {{0, 400 * kKiB, 8 * kKiB}}, ReadEngine::threads, read_slowly);
    while (reads_begun == 0) std::this_thread::yield();
  }
  BOOST_TEST(reads_ended == reads_begun);  // nothing still writes to what is gone
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4
