#include "bench/logits.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <cmath>
#include <limits>

#include "tests/support/runtime.hpp"

namespace ds4::bench {
namespace {

FrontierLogits logits(std::uint32_t context, std::vector<float> values) {
  FrontierLogits out;
  out.ctx_tokens = context;
  out.backend = "some";
  out.values = std::move(values);
  return out;
}

std::string complaint(const std::string& text) {
  const auto rows = parse_logits(text, "l.csv");
  return rows ? "" : rows.error().what;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bench_logits)

BOOST_AUTO_TEST_CASE(every_bit_of_a_logit_is_written_and_read) {
  const std::vector<float> values = {0.1F, -0.0F, 1e-42F, 3.4028235e38F, -16777217.0F, 1.0F / 3};
  const auto rows =
      test::must(parse_logits(logits_header() + logits_line(logits(64, values)) + "\n", "l.csv"));
  BOOST_TEST_REQUIRE(rows.size() == 1U);
  BOOST_TEST(rows[0].ctx_tokens == 64U);
  BOOST_TEST(rows[0].backend == "some");
  BOOST_TEST(check_restored(values, rows[0].values).ok());
  BOOST_TEST(std::signbit(rows[0].values[1]));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_none_of_ours_is_named_with_its_line) {
  BOOST_TEST(
      complaint("ctx_tokens,prefill_tps\n").starts_with("l.csv: line 1: expected the header"));
  BOOST_TEST(complaint("").starts_with("l.csv: line 1"));
  BOOST_TEST(complaint(logits_header()) == "l.csv: has no rows");
  BOOST_TEST(complaint(logits_header() + "1,64,some\n").starts_with("l.csv: line 2: expected 5"));
  BOOST_TEST(
      complaint(logits_header() + "1,x,some,0,1 2\n").starts_with("l.csv: line 2: expected"));
  BOOST_TEST(complaint(logits_header() + "1,64,some,0,1 two\n") ==
             "l.csv: line 2: logit 1 is no number");
  BOOST_TEST(complaint(logits_header() + "1,64,some,0,\n") == "l.csv: line 2: there are no logits");
}

BOOST_AUTO_TEST_CASE(frontiers_that_both_have_are_compared) {
  const std::array a = {logits(64, {1, 2, 3}), logits(128, {5, 1, 1})};
  const std::array b = {logits(128, {5, 1, 1}), logits(64, {1, 4, 3}), logits(256, {0, 0, 0})};
  const auto text = test::must(logits_comparison(a, b, "x", "y"));
  BOOST_TEST(text.find("128         yes   0.00e+00") != std::string::npos, text);
  // sqrt(4 / 3); the likeliest token moves from 2 to 1.
  BOOST_TEST(text.find(" 64          no   2.00e+00  1.15e+00") != std::string::npos, text);
  BOOST_TEST(text.find("2         1        3/3") != std::string::npos, text);
  BOOST_TEST(text.find("256") == std::string::npos, text);

  const std::array other = {logits(64, {1, 2})};
  BOOST_TEST(logits_comparison(a, other, "x", "y").error().what ==
             "x has 3 logits at 64 tokens, y has 2");
  const std::array later = {logits(65, {1, 2, 3})};
  BOOST_TEST(logits_comparison(a, later, "x", "y").error().what ==
             "x and y have no frontier in common");
}

BOOST_AUTO_TEST_CASE(not_a_number_on_one_side_is_no_small_difference) {
  const std::array a = {logits(64, {1, std::numeric_limits<float>::quiet_NaN()})};
  const std::array b = {logits(64, {1, 2})};
  const auto text = test::must(logits_comparison(a, b, "x", "y"));
  BOOST_TEST(text.find("inf") != std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(one_bit_is_enough_for_a_restored_state_to_be_wrong) {
  const std::vector<float> before = {1, 2, 3};
  BOOST_TEST(check_restored(before, before).ok());
  std::vector<float> after = before;
  after[1] = std::nextafter(2.0F, 3.0F);
  BOOST_TEST(check_restored(before, after).error().what ==
             "going back is not exact: evaluated again, the logit of token 1 is 2.0000002, before "
             "it was 2");
  after = {1, 2};
  BOOST_TEST(!check_restored(before, after).ok());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::bench
