#include "format/dtype.hpp"

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(dtype)

BOOST_AUTO_TEST_CASE(ids_and_sizes_are_those_of_the_container_format) {
  struct Row {
    std::uint32_t id;
    const char* name;
    std::uint64_t elements;
    std::uint64_t bytes;
  };
  // The table of the format description, typed in independently of the implementation.
  const Row rows[] = {{0, "F32", 1, 4},         {1, "F16", 1, 2},         {30, "BF16", 1, 2},
                      {26, "I32", 1, 4},        {2, "Q4_0", 32, 18},      {8, "Q8_0", 32, 34},
                      {10, "Q2_K", 256, 84},    {11, "Q3_K", 256, 110},   {12, "Q4_K", 256, 144},
                      {13, "Q5_K", 256, 176},   {14, "Q6_K", 256, 210},   {15, "Q8_K", 256, 292},
                      {16, "IQ2_XXS", 256, 66}, {18, "IQ3_XXS", 256, 98}, {39, "MXFP4", 32, 17}};
  for (const Row& row : rows) {
    const auto dtype = static_cast<ds4::Dtype>(row.id);
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(ds4::dtype_name(dtype) == row.name);
      const auto bytes = ds4::row_bytes(dtype, 3 * row.elements);
      BOOST_TEST_REQUIRE(bytes.ok());
      BOOST_TEST(*bytes == 3 * row.bytes);
    }
  }
}

BOOST_AUTO_TEST_CASE(names_are_read_in_any_case) {
  BOOST_TEST((*ds4::parse_dtype("iq2_xxs") == ds4::Dtype::iq2_xxs));
  BOOST_TEST((*ds4::parse_dtype("Q4_K") == ds4::Dtype::q4_k));
}

BOOST_AUTO_TEST_CASE(an_unknown_name_lists_the_loadable_ones) {
  const auto result = ds4::parse_dtype("q9_k");
  BOOST_TEST_REQUIRE(!result.ok());
  BOOST_TEST(result.error().what.find("'q9_k'") != std::string::npos);
  BOOST_TEST(result.error().what.find("MXFP4") != std::string::npos);
  BOOST_TEST(result.error().what.find("IQ3_XXS") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_row_of_broken_blocks_is_refused) {
  const auto result = ds4::row_bytes(ds4::Dtype::q2_k, 300);
  BOOST_TEST_REQUIRE(!result.ok());
  BOOST_TEST(result.error().what ==
             "a row of 300 elements does not divide into Q2_K blocks of 256");
}

BOOST_AUTO_TEST_CASE(a_row_beyond_64_bits_is_refused) {
  BOOST_TEST(!ds4::row_bytes(ds4::Dtype::f32, UINT64_MAX / 2).ok());
}

BOOST_AUTO_TEST_CASE(types_without_a_decoder_are_known_but_not_loadable) {
  BOOST_TEST(ds4::dtype_name(ds4::Dtype::iq3_s) == "IQ3_S");
  BOOST_TEST(!ds4::is_loadable(ds4::Dtype::iq3_s));
  BOOST_TEST((ds4::find_traits(static_cast<ds4::Dtype>(4)) == nullptr));
}

BOOST_AUTO_TEST_SUITE_END()
