#include "format/gguf_reader.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <limits>
#include <string>

#include "tests/unit/format/gguf_bytes.hpp"

namespace {

// One entry of each kind and two tensors.
GgufBytes sample() {
  GgufBytes out;
  out.head(2, 12);
  out.key("u8", 0).u8(200);
  out.key("i32", 5).put(std::int32_t{-5});
  out.key("u64", 10).u64(1ULL << 40);
  out.key("f32", 6).put(1.5F);
  out.key("f64", 12).put(0.1);
  out.key("bool", 7).u8(1);
  out.key("string", 8).text("hello");
  out.array("ints", 5, 3).put(std::int32_t{0}).put(std::int32_t{4}).put(std::int32_t{128});
  out.array("floats", 12, 2).put(1.0).put(2.5);
  out.array("strings", 8, 3).text("a").text("").text("bc");
  out.array("nested", 9, 1).u32(4).u64(2).u32(7).u32(8);
  out.key("general.alignment", 4).u32(64);
  out.tensor("first", {32, 2}, 8, 0).tensor("second", {3}, 0, 128);
  return out.pad(64, 140);
}

ds4::GgufFile parse(const GgufBytes& bytes) {
  auto file = ds4::GgufFile::parse(bytes.bytes(), "sample");
  BOOST_TEST_REQUIRE(file.ok(), file.error().what);
  return *std::move(file);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(gguf_reader)

BOOST_AUTO_TEST_CASE(scalars_are_read_in_their_own_type) {
  const GgufBytes bytes = sample();
  const ds4::GgufFile file = parse(bytes);
  BOOST_TEST(*file.u64("u64") == 1ULL << 40);
  BOOST_TEST(*file.f32("f32") == 1.5F);
  BOOST_TEST(*file.boolean("bool") == true);
  BOOST_TEST(*file.string("string") == "hello");
}

BOOST_AUTO_TEST_CASE(integers_of_another_width_are_taken_when_the_value_fits) {
  const GgufBytes bytes = sample();
  const ds4::GgufFile file = parse(bytes);
  BOOST_TEST(*file.u32("u8") == 200U);
  BOOST_TEST(*file.u64("u8") == 200U);
  BOOST_TEST(*file.f32("u8") == 200.0F);
  BOOST_TEST(*file.f32("f64") == 0.1F);
  const auto wide = file.u32("u64");
  BOOST_TEST_REQUIRE(!wide.ok());
  BOOST_TEST(
      wide.error().what.find("key 'u64': expected an unsigned integer up to 4294967295, found u64 "
                             "1099511627776") != std::string::npos);
  BOOST_TEST(file.u32("i32").error().what.find("found i32 -5") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(strings_and_bools_are_never_converted) {
  const GgufBytes bytes = sample();
  const ds4::GgufFile file = parse(bytes);
  BOOST_TEST(!file.u32("string").ok());
  BOOST_TEST(!file.string("u8").ok());
  BOOST_TEST(!file.u32("bool").ok());
  BOOST_TEST(!file.boolean("u8").ok());
}

BOOST_AUTO_TEST_CASE(arrays_convert_their_elements) {
  const GgufBytes bytes = sample();
  const ds4::GgufFile file = parse(bytes);
  BOOST_TEST(*file.u32_array("ints") == (std::vector<std::uint32_t>{0, 4, 128}),
             boost::test_tools::per_element());
  BOOST_TEST(*file.f32_array("floats") == (std::vector<float>{1.0F, 2.5F}),
             boost::test_tools::per_element());
  const auto strings = *file.string_array("strings");
  BOOST_TEST_REQUIRE(strings.size() == 3U);
  BOOST_TEST(strings[1] == "");
  BOOST_TEST(strings[2] == "bc");
  BOOST_TEST(!file.u32_array("strings").ok());
  BOOST_TEST(!file.u32_array("u8").ok());
  BOOST_TEST(!file.u32_array("nested").ok());
}

BOOST_AUTO_TEST_CASE(floats_that_are_not_finite_are_refused) {
  GgufBytes bytes;
  bytes.head(0, 2);
  bytes.key("nan", 6).put(std::numeric_limits<float>::quiet_NaN());
  bytes.key("huge", 12).put(1e300);
  const ds4::GgufFile file = parse(bytes);
  BOOST_TEST(!file.f32("nan").ok());
  BOOST_TEST(!file.f32("huge").ok());
}

BOOST_AUTO_TEST_CASE(a_missing_key_is_named) {
  const GgufBytes bytes = sample();
  const auto value = parse(bytes).u32("absent");
  BOOST_TEST_REQUIRE(!value.ok());
  BOOST_TEST((value.error().code == ds4::Errc::not_found));
  BOOST_TEST(value.error().what == "sample: metadata key 'absent' is missing");
}

BOOST_AUTO_TEST_CASE(tensors_have_absolute_offsets_after_the_alignment_of_the_file) {
  const GgufBytes bytes = sample();
  const ds4::GgufFile file = parse(bytes);
  BOOST_TEST(file.alignment() == 64U);
  BOOST_TEST(file.data_offset() % 64 == 0U);
  const ds4::TensorInfo* first = file.find_tensor("first");
  const ds4::TensorInfo* second = file.find_tensor("second");
  BOOST_TEST_REQUIRE((first != nullptr && second != nullptr));
  BOOST_TEST(first->offset == file.data_offset());
  BOOST_TEST(first->bytes == 68U);
  BOOST_TEST(first->row_bytes() == 34U);
  BOOST_TEST(second->offset == file.data_offset() + 128);
  BOOST_TEST(file.bytes(*second).size() == 12U);
  BOOST_TEST((file.find_tensor("third") == nullptr));
}

BOOST_AUTO_TEST_CASE(version_2_has_the_same_layout) {
  GgufBytes bytes;
  bytes.head(0, 1, 2).key("k", 4).u32(3);
  BOOST_TEST(*parse(bytes).u32("k") == 3U);
}

BOOST_AUTO_TEST_CASE(a_tensor_of_unknown_type_is_listed_without_bytes) {
  GgufBytes bytes;
  bytes.head(1, 0).tensor("odd", {7}, 99, 0).pad(32);
  const ds4::GgufFile file = parse(bytes);
  BOOST_TEST(file.bytes(*file.find_tensor("odd")).empty());
}

BOOST_AUTO_TEST_CASE(header_hash_depends_on_metadata_and_not_on_tensor_data) {
  const GgufBytes bytes = sample();
  std::vector<std::byte> other_data = bytes.bytes();
  other_data.at(other_data.size() - 1) = std::byte{1};
  std::vector<std::byte> other_head = bytes.bytes();
  other_head[34] ^= std::byte{1};  // the value of "u8"
  const auto hash = [](std::span<const std::byte> b) {
    const auto file = ds4::GgufFile::parse(b, "x");
    BOOST_TEST_REQUIRE(file.ok());
    return file->header_hash_text();
  };
  BOOST_TEST(hash(bytes.bytes()).size() == 64U);
  BOOST_TEST(hash(bytes.bytes()) == hash(other_data));
  BOOST_TEST(hash(bytes.bytes()) != hash(other_head));
}

BOOST_AUTO_TEST_CASE(every_truncation_is_an_error) {
  const std::vector<std::byte> bytes = sample().bytes();
  // The last tensor ends at 128 + 12 of the data; the sample holds exactly that.
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto file = ds4::GgufFile::parse(std::span(bytes).first(size), "cut");
    BOOST_TEST_REQUIRE(!file.ok(), "accepted at " << size);
  }
}

BOOST_AUTO_TEST_CASE(a_file_that_does_not_exist_is_not_found) {
  const auto file = ds4::GgufFile::open("no/such/file.gguf");
  BOOST_TEST_REQUIRE(!file.ok());
  BOOST_TEST((file.error().code == ds4::Errc::not_found));
}

BOOST_AUTO_TEST_CASE(an_array_of_more_than_2_to_26_elements_is_not_copied) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 26U;
  GgufBytes bytes;
  bytes.head(0, 1).array("many", 0, kMost + 1).pad(1, kMost + 1);
  const auto file = ds4::GgufFile::parse(bytes.bytes(), "f.gguf");
  BOOST_TEST_REQUIRE(file.ok(), file.error().what);
  const auto values = file->u32_array("many");
  BOOST_TEST_REQUIRE(!values.ok());
  BOOST_TEST(values.error().what ==
             "f.gguf: offset 52: key 'many': expected at most 67108864 elements, found 67108865");
}

BOOST_AUTO_TEST_SUITE_END()
