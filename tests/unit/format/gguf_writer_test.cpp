#include "format/gguf_writer.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "format/gguf_reader.hpp"

namespace {

namespace fs = std::filesystem;

struct TempFolder {
  TempFolder() {
    std::string pattern = (fs::temp_directory_path() / "ds4-writer-XXXXXX").string();
    BOOST_TEST_REQUIRE((::mkdtemp(pattern.data()) != nullptr));
    path = pattern;
  }
  ~TempFolder() { fs::remove_all(path); }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(path), {}));
  }
  fs::path path;
};

std::vector<std::byte> filled(std::size_t size, unsigned value) {
  return std::vector<std::byte>(size, static_cast<std::byte>(value));
}

ds4::GgufHeader two_tensors() {
  ds4::GgufHeader header;
  header.add_u32("answer", 42);
  const std::array<std::uint64_t, 2> first = {32, 3};
  const std::array<std::uint64_t, 1> second = {5};
  BOOST_TEST_REQUIRE(header.add_tensor("first", first, ds4::Dtype::q8_0).ok());
  BOOST_TEST_REQUIRE(header.add_tensor("second", second, ds4::Dtype::f32).ok());
  return header;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(gguf_writer, TempFolder)

BOOST_AUTO_TEST_CASE(what_is_written_is_read_back) {
  ds4::GgufHeader header = two_tensors();
  header.add_f32("f", 0.5F);
  header.add_bool("b", true);
  header.add_u64("u", 1ULL << 50);
  header.add_string("s", "text");
  const std::vector<std::string> strings = {"a", "", "ccc"};
  header.add_string_array("strings", strings);
  const std::vector<std::int32_t> ints = {-1, 4};
  header.add_i32_array("ints", ints);
  auto writer = ds4::GgufWriter::create(path / "m.gguf", header);
  BOOST_TEST_REQUIRE(writer.ok(), writer.error().what);
  BOOST_TEST_REQUIRE(writer->write(filled(50, 1)).ok());
  BOOST_TEST_REQUIRE(writer->write(filled(52, 2)).ok());
  BOOST_TEST(writer->current()->name == "second");
  BOOST_TEST_REQUIRE(writer->write(filled(20, 3)).ok());
  BOOST_TEST_REQUIRE(writer->finish().ok());

  const auto file = ds4::GgufFile::open(path / "m.gguf");
  BOOST_TEST_REQUIRE(file.ok(), file.error().what);
  BOOST_TEST(*file->u32("answer") == 42U);
  BOOST_TEST(*file->f32("f") == 0.5F);
  BOOST_TEST(*file->boolean("b"));
  BOOST_TEST(*file->u64("u") == 1ULL << 50);
  BOOST_TEST(*file->string("s") == "text");
  BOOST_TEST((*file->string_array("strings"))[2] == "ccc");
  BOOST_TEST((*file->i32_array("ints"))[0] == -1);
  const auto first = file->bytes(*file->find_tensor("first"));
  BOOST_TEST(first.size() == 102U);
  BOOST_TEST((first[49] == std::byte{1} && first[50] == std::byte{2}));
  BOOST_TEST((file->bytes(*file->find_tensor("second"))[19] == std::byte{3}));
}

BOOST_AUTO_TEST_CASE(copied_entries_are_equal_byte_for_byte) {
  ds4::GgufHeader header = two_tensors();
  const std::vector<std::string> strings = {"x", "yy"};
  header.add_string_array("strings", strings);
  header.add_string("s", "text");
  const std::vector<std::byte> bytes = [&] {
    std::vector<std::byte> out = header.encode();
    out.resize(out.size() + header.data_bytes());
    return out;
  }();
  const auto file = ds4::GgufFile::parse(bytes, "original");
  BOOST_TEST_REQUIRE(file.ok());
  ds4::GgufHeader copy;
  for (const ds4::GgufEntry& entry : file->metadata()) copy.add_copy(entry);
  for (const ds4::TensorInfo& t : file->tensors()) {
    BOOST_TEST_REQUIRE(copy.add_tensor(t.name, std::span(t.dims).first(t.rank), t.dtype).ok());
  }
  BOOST_TEST((copy.encode() == header.encode()));
}

BOOST_AUTO_TEST_CASE(nothing_is_left_behind_when_a_writer_is_abandoned) {
  {
    auto writer = ds4::GgufWriter::create(path / "m.gguf", two_tensors());
    BOOST_TEST_REQUIRE(writer.ok());
    BOOST_TEST(files() == 1U);
    BOOST_TEST_REQUIRE(writer->write(filled(10, 1)).ok());
  }
  BOOST_TEST(files() == 0U);
}

BOOST_AUTO_TEST_CASE(the_target_keeps_its_old_content_until_the_new_file_is_complete) {
  for (const unsigned value : {1U, 2U}) {
    auto writer = ds4::GgufWriter::create(path / "m.gguf", two_tensors());
    BOOST_TEST_REQUIRE(writer->write(filled(102, value)).ok());
    BOOST_TEST_REQUIRE(writer->write(filled(20, value)).ok());
    if (value == 2) break;
    BOOST_TEST_REQUIRE(writer->finish().ok());
  }
  const auto file = ds4::GgufFile::open(path / "m.gguf");
  BOOST_TEST_REQUIRE(file.ok());
  BOOST_TEST((file->bytes(file->tensors()[0])[0] == std::byte{1}));
}

BOOST_AUTO_TEST_CASE(too_many_or_too_few_bytes_are_refused) {
  auto writer = ds4::GgufWriter::create(path / "m.gguf", two_tensors());
  BOOST_TEST_REQUIRE(writer.ok());
  BOOST_TEST(!writer->write(filled(103, 1)).ok());
  BOOST_TEST_REQUIRE(writer->write(filled(101, 1)).ok());
  const auto early = writer->finish();
  BOOST_TEST_REQUIRE(!early.ok());
  BOOST_TEST(early.error().what.find("tensor first is not complete") != std::string::npos);
  BOOST_TEST(!writer->skip().ok());
}

BOOST_AUTO_TEST_CASE(a_skipped_tensor_is_a_hole_that_reads_as_zeros) {
  ds4::GgufHeader header;
  const std::array<std::uint64_t, 2> dims = {1U << 20, 16};
  const std::array<std::uint64_t, 1> small = {4};
  BOOST_TEST_REQUIRE(header.add_tensor("big", dims, ds4::Dtype::f32).ok());
  BOOST_TEST_REQUIRE(header.add_tensor("small", small, ds4::Dtype::f32).ok());
  auto writer = ds4::GgufWriter::create(path / "m.gguf", header);
  BOOST_TEST_REQUIRE(writer.ok());
  BOOST_TEST_REQUIRE(writer->skip().ok());
  BOOST_TEST_REQUIRE(writer->write(filled(16, 9)).ok());
  BOOST_TEST_REQUIRE(writer->finish().ok());
  struct stat facts {};
  BOOST_TEST_REQUIRE(::stat((path / "m.gguf").c_str(), &facts) == 0);
  BOOST_TEST(facts.st_size > 64 << 20);
  // 512-byte units; the hole is 64 MiB, everything else a few pages.
  BOOST_TEST(facts.st_blocks * 512 < 1 << 20);
  const auto file = ds4::GgufFile::open(path / "m.gguf");
  BOOST_TEST_REQUIRE(file.ok());
  BOOST_TEST((file->bytes(file->tensors()[0])[12345] == std::byte{0}));
  BOOST_TEST((file->bytes(file->tensors()[1])[15] == std::byte{9}));
}

BOOST_AUTO_TEST_CASE(a_folder_that_does_not_exist_is_an_io_error) {
  const auto writer = ds4::GgufWriter::create(path / "none" / "m.gguf", two_tensors());
  BOOST_TEST_REQUIRE(!writer.ok());
  BOOST_TEST((writer.error().code == ds4::Errc::io));
}

BOOST_AUTO_TEST_CASE(tensors_that_cannot_be_stored_are_refused) {
  ds4::GgufHeader header;
  const std::array<std::uint64_t, 2> odd = {100, 2};
  const std::array<std::uint64_t, 2> empty = {32, 0};
  const std::array<std::uint64_t, 5> deep = {1, 1, 1, 1, 1};
  BOOST_TEST(!header.add_tensor("t", odd, ds4::Dtype::q2_k).ok());
  BOOST_TEST(!header.add_tensor("t", empty, ds4::Dtype::f32).ok());
  BOOST_TEST(!header.add_tensor("t", deep, ds4::Dtype::f32).ok());
  BOOST_TEST(header.tensors().empty());
}

BOOST_AUTO_TEST_SUITE_END()
