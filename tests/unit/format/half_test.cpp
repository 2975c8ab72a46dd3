#include "format/half.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>

BOOST_AUTO_TEST_SUITE(half)

BOOST_AUTO_TEST_CASE(every_finite_half_survives_the_round_trip) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = ds4::half_to_float(half);
    if (std::isnan(value)) {
      BOOST_TEST_REQUIRE(std::isnan(ds4::half_to_float(ds4::float_to_half(value))));
    } else {
      BOOST_TEST_REQUIRE(ds4::float_to_half(value) == half);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_midpoint_of_two_halves_rounds_to_the_even_one) {
  // Between neighbours a and a + 1 the exact midpoint and one float on either side of it.
  for (std::uint32_t bits = 0; bits < 0x7BFF; ++bits) {
    const auto low = static_cast<std::uint16_t>(bits);
    const auto high = static_cast<std::uint16_t>(bits + 1);
    const float middle = static_cast<float>((static_cast<double>(ds4::half_to_float(low)) +
                                             static_cast<double>(ds4::half_to_float(high))) /
                                            2);
    BOOST_TEST_REQUIRE(ds4::float_to_half(middle) == (bits % 2 == 0 ? low : high));
    BOOST_TEST_REQUIRE(ds4::float_to_half(std::nextafter(middle, 0.0F)) == low);
    BOOST_TEST_REQUIRE(ds4::float_to_half(std::nextafter(middle, 1e6F)) == high);
  }
}

BOOST_AUTO_TEST_CASE(overflow_gives_infinity_from_65520_on) {
  BOOST_TEST(ds4::float_to_half(65519.99F) == 0x7BFF);
  BOOST_TEST(ds4::float_to_half(65520.0F) == 0x7C00);
  BOOST_TEST(ds4::float_to_half(-1e30F) == 0xFC00);
}

BOOST_AUTO_TEST_CASE(bfloat_rounds_to_nearest_even) {
  BOOST_TEST(ds4::float_to_bfloat(1.0F) == 0x3F80);
  BOOST_TEST(ds4::float_to_bfloat(1.00390625F) == 0x3F80);  // midpoint, even below
  BOOST_TEST(ds4::float_to_bfloat(1.01171875F) == 0x3F82);  // midpoint, even above
  BOOST_TEST(ds4::float_to_bfloat(1.00390637F) == 0x3F81);  // just above the midpoint
  BOOST_TEST(std::isnan(
      ds4::bfloat_to_float(ds4::float_to_bfloat(std::numeric_limits<float>::quiet_NaN()))));
}

BOOST_AUTO_TEST_SUITE_END()
