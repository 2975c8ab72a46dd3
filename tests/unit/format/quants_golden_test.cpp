// Decoders and encoders against files made by the `gguf` Python package
// (tests/oracle/quant_vectors.py): every bit must agree.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "format/quants/quants.hpp"

namespace {

std::vector<char> read_golden(const std::string& name) {
  std::ifstream in(std::string(DS4_SOURCE_DIR) + "/tests/golden/quants/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

const std::vector<std::string> kDecoded = {"F16",  "BF16", "Q8_0", "Q4_0",    "Q2_K", "Q3_K",
                                           "Q4_K", "Q5_K", "Q6_K", "IQ2_XXS", "MXFP4"};
const std::vector<std::string> kEncoded = {"F16", "BF16", "Q8_0", "Q4_0", "MXFP4"};

// Files hold blocks and floats of the same elements, so the element count follows from the size.
std::size_t element_count(const std::vector<char>& file, ds4::Dtype dtype) {
  const ds4::DtypeTraits& traits = *ds4::find_traits(dtype);
  return file.size() / (traits.block_bytes + 4 * traits.block_elements) * traits.block_elements;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(quants_golden)

BOOST_DATA_TEST_CASE(decoder_agrees_bit_for_bit_with_the_gguf_package,
                     boost::unit_test::data::make(kDecoded), name) {
  const ds4::Dtype dtype = *ds4::parse_dtype(name);
  const std::vector<char> file = read_golden(lower(name) + ".decode");
  const std::size_t n = element_count(file, dtype);
  BOOST_TEST_REQUIRE(n >= 64U);
  std::vector<float> decoded(n);
  const auto done = ds4::dequantize_row(dtype, reinterpret_cast<const std::byte*>(file.data()),
                                        decoded.data(), n);
  BOOST_TEST_REQUIRE(done.ok());
  std::vector<float> expected(n);
  std::memcpy(expected.data(), file.data() + *ds4::row_bytes(dtype, n), n * sizeof(float));
  for (std::size_t i = 0; i < n; ++i) {
    BOOST_TEST_REQUIRE(decoded[i] == expected[i],
                       "element " << i << ": " << decoded[i] << " is not " << expected[i]);
  }
}

BOOST_DATA_TEST_CASE(encoder_agrees_byte_for_byte_with_the_gguf_package,
                     boost::unit_test::data::make(kEncoded), name) {
  const ds4::Dtype dtype = *ds4::parse_dtype(name);
  const std::vector<char> file = read_golden(lower(name) + ".encode");
  const std::size_t n = element_count(file, dtype);
  BOOST_TEST_REQUIRE(n >= 64U);
  std::vector<float> values(n);
  std::memcpy(values.data(), file.data(), n * sizeof(float));
  std::vector<char> encoded(*ds4::row_bytes(dtype, n));
  const auto done =
      ds4::quantize_row(dtype, values.data(), reinterpret_cast<std::byte*>(encoded.data()), n);
  BOOST_TEST_REQUIRE(done.ok());
  BOOST_TEST(std::memcmp(encoded.data(), file.data() + n * sizeof(float), encoded.size()) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
