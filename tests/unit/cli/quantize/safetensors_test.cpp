#include "quantize/safetensors.hpp"

#include <boost/test/unit_test.hpp>

#include "quantize/checkpoint.hpp"
#include "tests/unit/cli/quantize/scratch.hpp"

using ds4::Errc;
using ds4::quantize::Checkpoint;
using ds4::quantize::SafetensorsFile;
using ds4::quantize::SourceType;
using ds4::test::safetensors_bytes;
using ds4::test::Scratch;

namespace {

constexpr std::string_view kGood =
    R"({"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},)"
    R"("b":{"dtype":"F32","shape":[],"data_offsets":[12,16]}})";

Errc error_of(const Scratch& scratch, std::string_view bytes) {
  scratch.write("x.safetensors", bytes);
  const auto file = SafetensorsFile::open(scratch.path() / "x.safetensors");
  BOOST_REQUIRE(!file);
  BOOST_TEST(file.error().what.find("x.safetensors") != std::string::npos);
  return file.error().code;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(safetensors)

BOOST_AUTO_TEST_CASE(a_file_lists_its_tensors_in_header_order) {
  const Scratch scratch("safetensors-good");
  scratch.write("x.safetensors", safetensors_bytes(kGood, 16));
  const auto file = SafetensorsFile::open(scratch.path() / "x.safetensors");
  BOOST_REQUIRE(file.ok());
  BOOST_REQUIRE(file->tensors().size() == 2);
  BOOST_TEST(file->tensors()[0].name == "a");
  BOOST_TEST((file->tensors()[0].type == SourceType::bf16));
  BOOST_TEST(file->tensors()[0].shape == (std::vector<std::uint64_t>{2, 3}),
             boost::test_tools::per_element());
  BOOST_TEST(file->tensors()[0].bytes.size() == 12);
  BOOST_TEST(file->tensors()[1].bytes.size() == 4);
}

BOOST_AUTO_TEST_CASE(a_file_cut_at_any_byte_is_refused) {
  const Scratch scratch("safetensors-cut");
  const std::string whole = safetensors_bytes(kGood, 16);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    BOOST_TEST((error_of(scratch, whole.substr(0, size)) == Errc::bad_file));
  }
}

BOOST_AUTO_TEST_CASE(sizes_and_offsets_that_do_not_agree_are_refused) {
  const Scratch scratch("safetensors-sizes");
  const std::string_view entries[] = {
      R"({"dtype":"F32","shape":[4],"data_offsets":[0,12]})",
      R"({"dtype":"F32","shape":[3],"data_offsets":[12,0]})",
      R"({"dtype":"F32","shape":[3],"data_offsets":[8,20]})",
      R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]})",
      R"({"dtype":"F32","shape":[-3],"data_offsets":[0,12]})",
      R"({"dtype":"F32","shape":[3.0],"data_offsets":[0,12]})",
      R"({"dtype":"F32","shape":[3],"data_offsets":[0]})",
      R"({"dtype":"F32","shape":3,"data_offsets":[0,12]})",
      R"({"dtype":7,"shape":[3],"data_offsets":[0,12]})",
      R"([1,2])",
  };
  for (const std::string_view entry : entries) {
    const std::string header = "{\"a\":" + std::string(entry) + "}";
    BOOST_TEST_CONTEXT(header) {
      BOOST_TEST((error_of(scratch, safetensors_bytes(header, 16)) == Errc::bad_file));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_header_that_is_no_object_or_beyond_the_file_is_refused) {
  const Scratch scratch("safetensors-header");
  BOOST_TEST((error_of(scratch, safetensors_bytes("[]", 0)) == Errc::bad_file));
  BOOST_TEST((error_of(scratch, safetensors_bytes("{", 0)) == Errc::bad_file));
  BOOST_TEST((error_of(scratch, std::string(8, '\xff') + "{}") == Errc::bad_file));
}

BOOST_AUTO_TEST_CASE(an_element_type_that_no_release_uses_is_named) {
  const Scratch scratch("safetensors-type");
  const std::string header = R"({"a":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}})";
  BOOST_TEST((error_of(scratch, safetensors_bytes(header, 8)) == Errc::unsupported));
}

BOOST_AUTO_TEST_CASE(an_index_that_promises_an_absent_tensor_is_refused) {
  const Scratch scratch("safetensors-index");
  scratch.write("x.safetensors", safetensors_bytes(kGood, 16));
  scratch.write("model.safetensors.index.json", R"({"weight_map":{"a":"x.safetensors"}})");
  BOOST_TEST(Checkpoint::open(scratch.path()).ok());
  scratch.write("model.safetensors.index.json",
                R"({"weight_map":{"a":"x.safetensors","c":"x.safetensors"}})");
  BOOST_TEST((Checkpoint::open(scratch.path()).error().code == Errc::bad_file));
  scratch.write("model.safetensors.index.json", R"({"weight_map":{"a":"../x.safetensors"}})");
  BOOST_TEST((Checkpoint::open(scratch.path()).error().code == Errc::bad_file));
}

BOOST_AUTO_TEST_CASE(two_shards_with_one_tensor_are_refused_and_an_empty_folder_is_not_found) {
  const Scratch scratch("safetensors-twice");
  BOOST_TEST((Checkpoint::open(scratch.path()).error().code == Errc::not_found));
  scratch.write("x.safetensors", safetensors_bytes(kGood, 16));
  scratch.write("y.safetensors", safetensors_bytes(kGood, 16));
  BOOST_TEST((Checkpoint::open(scratch.path()).error().code == Errc::bad_file));
}

BOOST_AUTO_TEST_SUITE_END()
