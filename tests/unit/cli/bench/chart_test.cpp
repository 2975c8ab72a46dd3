#include "bench/chart.hpp"

#include <boost/test/unit_test.hpp>

namespace ds4::bench {
namespace {

BenchRow row(std::uint32_t context, double prefill, double decode) {
  BenchRow out;
  out.ctx_tokens = context;
  out.prefill_tps = prefill;
  out.gen_tps = decode;
  return out;
}

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++found;
  return found;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bench_chart)

BOOST_AUTO_TEST_CASE(axes_end_at_round_numbers_above_the_largest_value) {
  BOOST_TEST(axis_end(0) == 1.0);
  BOOST_TEST(axis_end(0.9) == 1.0);
  BOOST_TEST(axis_end(1.0) == 2.0);  // 5 % above
  BOOST_TEST(axis_end(20.6) == 25.0);
  BOOST_TEST(axis_end(28.0) == 30.0);
  BOOST_TEST(axis_end(350) == 400.0);
  BOOST_TEST(axis_end(470) == 500.0);
  BOOST_TEST(axis_end(960) == 2000.0);
  BOOST_TEST(tick_step(32768, 6) == 10000.0);
  BOOST_TEST(tick_step(25, 5) == 5.0);
  BOOST_TEST(tick_step(400, 5) == 100.0);
}

BOOST_AUTO_TEST_CASE(a_chart_has_a_line_per_figure_and_set_of_rows) {
  const std::vector<BenchRow> rows = {row(2048, 300, 20), row(4096, 250, 19)};
  const auto one = draw_chart(rows, {}, "a < b & c");
  BOOST_TEST_REQUIRE(one.ok());
  BOOST_TEST(count(*one, "<polyline") == 2U);
  BOOST_TEST(count(*one, "dasharray") == 0U);
  BOOST_TEST(count(*one, "a &lt; b &amp; c") == 1U);
  BOOST_TEST(one->ends_with("</svg>\n"));
  // 4096 is the right end, 300 of 400 three quarters of the way up from 410 to 60.
  BOOST_TEST(count(*one, "points=\"450.0,147.5 820.0,191.2\"") == 1U, *one);
  const auto two = draw_chart(rows, rows, "t");
  BOOST_TEST_REQUIRE(two.ok());
  BOOST_TEST(count(*two, "<polyline") == 4U);
  BOOST_TEST(count(*two, "dasharray") == 2U);
  BOOST_TEST(!draw_chart({row(1, 1, 1)}, {}, "t").ok());
}

BOOST_AUTO_TEST_CASE(a_chart_lies_beside_its_file) {
  BOOST_TEST(chart_name("a/b.csv") == "a/b_ts.svg");
  BOOST_TEST(chart_name("b.x.csv") == "b.x_ts.svg");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::bench
