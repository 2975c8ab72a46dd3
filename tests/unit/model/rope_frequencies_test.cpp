#include <boost/test/unit_test.hpp>

#include <cmath>

#include "tests/unit/model/temp_model.hpp"

BOOST_AUTO_TEST_SUITE(rope_frequencies)

BOOST_AUTO_TEST_CASE(released_values_give_the_published_table) {
  struct Row {
    std::size_t pair;
    double plain;
    double scaled;
  };
  const Row table[] = {{0, 1, 1},
                       {1, 0.749894209, 0.687656022},
                       {8, 0.1, 0.05},
                       {15, 0.0133352143, 0.00363553858},
                       {16, 0.01, 0.002265625},
                       {20, 0.00316227766, 0.000296977778},
                       {24, 0.001, 1.953125e-05},
                       {25, 0.000749894209, 5.37231267e-06},
                       {31, 0.000133352143, 5.68052904e-07}};
  const ds4::ModelConfig config = shape("flash").config;
  const std::vector<float> plain = ds4::rope_frequencies(config, 0);
  const std::vector<float> sparse = ds4::rope_frequencies(config, 4);
  BOOST_TEST_REQUIRE(plain.size() == 32U);
  BOOST_TEST(sparse == ds4::rope_frequencies(config, 128), boost::test_tools::per_element());
  for (const Row& row : table) {
    // Nine printed digits (half a unit of the ninth: 5e-9 at most) plus half an ulp of float.
    const double bound = 5e-9 + 6e-8;
    BOOST_TEST(std::fabs(static_cast<double>(plain[row.pair]) / row.plain - 1) < bound);
    BOOST_TEST(std::fabs(static_cast<double>(sparse[row.pair]) / row.scaled - 1) < bound);
  }
}

BOOST_AUTO_TEST_CASE(a_ramp_of_width_zero_steps_without_dividing_by_zero) {
  ds4::ModelConfig config = shape("micro").config;
  // Both pairs below 0: low and high are clamped to 0, every pair but the first is scaled fully.
  config.yarn_original_context = 2;
  config.yarn_beta_slow = 4;
  const std::vector<float> f = ds4::rope_frequencies(config, 4);
  BOOST_TEST(f[0] == 1.0F);
  const double second = std::pow(160000.0, -2.0 / 8) / 16;
  BOOST_TEST(f[1] == static_cast<float>(second));
}

BOOST_AUTO_TEST_SUITE_END()
