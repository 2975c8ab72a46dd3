#include "model/counter_rng.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <cmath>

BOOST_AUTO_TEST_SUITE(counter_rng)

// The values below were printed by tests/oracle/counter_rng.py.

BOOST_AUTO_TEST_CASE(keys_and_raw_values_are_those_of_the_python_generator) {
  const ds4::CounterRng rng(1, "blk.0.attn_norm.weight");
  BOOST_TEST(rng.key() == 0xe71776b3e13c9484ULL);
  BOOST_TEST(rng.raw(0) == 0x629d8259e2d10648ULL);
  BOOST_TEST(rng.raw(1) == 0xd7ea1c1b4f1f4f2dULL);
  BOOST_TEST(rng.raw(2) == 0x812fde2087d197b0ULL);
  BOOST_TEST(rng.raw(3) == 0xe5d37c734b09c1fbULL);
}

BOOST_AUTO_TEST_CASE(normal_values_are_those_of_the_python_generator) {
  const ds4::CounterRng rng(1, "blk.0.attn_norm.weight");
  BOOST_TEST(rng.normal(0) == -0x1.59f34920b6202p-2);
  BOOST_TEST(rng.normal(1) == -0x1.7beda6acc1864p-1);
  BOOST_TEST(rng.normal(2) == 0x1.b7519aa05151fp-1);
  BOOST_TEST(rng.normal(3) == 0x1.818b41186b529p-1);
}

BOOST_AUTO_TEST_CASE(scaled_values_are_those_of_the_python_generator) {
  const ds4::CounterRng rng(1, "blk.0.attn_norm.weight");
  std::array<float, 4> values{};
  rng.fill(values, 0, 0.1, 1.0);
  BOOST_TEST(values[0] == 0x1.eeb3d6p-1F);
  BOOST_TEST(values[1] == 0x1.da01d6p-1F);
  BOOST_TEST(values[2] == 0x1.15f748p+0F);
  BOOST_TEST(values[3] == 0x1.1346f6p+0F);
}

BOOST_AUTO_TEST_CASE(tables_are_those_of_the_python_generator) {
  const ds4::CounterRng rng(7, "blk.0.ffn_gate_tid2eid.weight");
  const std::array<std::array<std::int32_t, 3>, 4> expected = {
      {{4, 7, 2}, {7, 6, 4}, {7, 0, 3}, {3, 6, 2}}};
  for (std::size_t row = 0; row < expected.size(); ++row) {
    std::array<std::int32_t, 3> ids{};
    rng.distinct_ids(ids, row, 8);
    BOOST_TEST(ids == expected[row], boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(any_slice_can_be_made_alone) {
  const ds4::CounterRng rng(3, "x");
  std::array<float, 100> all{};
  std::array<float, 10> slice{};
  rng.fill(all, 0, 2.0, 0.0);
  rng.fill(slice, 45, 2.0, 0.0);
  BOOST_TEST(std::equal(slice.begin(), slice.end(), all.begin() + 45));
}

BOOST_AUTO_TEST_CASE(mean_and_deviation_are_0_and_1) {
  const ds4::CounterRng rng(5, "moments");
  constexpr int kCount = 100000;
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = rng.normal(static_cast<std::uint64_t>(i));
    sum += x;
    squares += x * x;
  }
  // Five standard errors: 1 / sqrt(n) for the mean; the variance has kurtosis 2.7, so sqrt(1.7 /
  // n).
  BOOST_TEST(std::fabs(sum / kCount) < 5 / std::sqrt(kCount));
  BOOST_TEST(std::fabs(squares / kCount - 1) < 5 * std::sqrt(1.7 / kCount));
}

BOOST_AUTO_TEST_SUITE_END()
