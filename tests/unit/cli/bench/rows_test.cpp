#include "bench/rows.hpp"

#include <boost/test/unit_test.hpp>

namespace ds4::bench {
namespace {

BenchRow row(std::uint32_t context, double prefill, double decode) {
  BenchRow out;
  out.ctx_tokens = context;
  out.prefill_tps = prefill;
  out.gen_tps = decode;
  out.backend = "b";
  return out;
}

std::string complaint(std::string_view text) {
  const auto rows = parse_csv(text, "f.csv");
  return rows ? "" : rows.error().what;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bench_rows)

BOOST_AUTO_TEST_CASE(what_is_written_is_read_again) {
  BenchRow one = row(2048, 12.345, 1.5);
  one.run = 3;
  one.prefill_tokens = 1024;
  one.gen_tokens = 128;
  one.gen_first_ms = 701.1239;
  one.gen_steady_tokens = 127;
  one.kvcache_bytes = 5'000'000'000;
  one.ratio = 0.55;
  const auto rows = parse_csv(csv_header() + csv_line(one), "f.csv");
  BOOST_TEST_REQUIRE(rows.ok());
  BOOST_TEST_REQUIRE(rows->size() == 1U);
  const BenchRow& back = rows->front();
  BOOST_TEST(back.run == 3U);
  BOOST_TEST(back.ctx_tokens == 2048U);
  BOOST_TEST(back.prefill_tps == 12.35, boost::test_tools::tolerance(1e-3));
  BOOST_TEST(back.gen_first_ms == 701.124);
  BOOST_TEST(back.kvcache_bytes == 5'000'000'000U);
  BOOST_TEST(back.ratio == 0.55);
  BOOST_TEST(back.backend == "b");
  BOOST_TEST(csv_line(back) ==
             csv_line(*parse_csv(csv_header() + csv_line(back), "f.csv")->begin()));
}

BOOST_AUTO_TEST_CASE(columns_are_found_by_name_and_unknown_ones_are_skipped) {
  const auto rows = parse_csv(
      "gpu,gen_tps,prefill_tps,ctx_tokens,kvcache_bytes\r\nGB10,20.5,350,4096,17\r\n\r\n", "old");
  BOOST_TEST_REQUIRE(rows.ok());
  BOOST_TEST(rows->front().ctx_tokens == 4096U);
  BOOST_TEST(rows->front().gen_tps == 20.5);
  BOOST_TEST(rows->front().prefill_tps == 350.0);
  BOOST_TEST(rows->front().kvcache_bytes == 17U);
}

BOOST_AUTO_TEST_CASE(what_is_no_result_is_named_with_its_line) {
  BOOST_TEST(complaint("") == "f.csv: is empty; expected rows of ds4-bench");
  BOOST_TEST(complaint("ctx_tokens,gen_tps\n1,2\n") ==
             "f.csv: line 1: no column prefill_tps; expected the header of ds4-bench");
  const std::string head = "ctx_tokens,prefill_tps,gen_tps\n";
  BOOST_TEST(complaint(head) == "f.csv: has no rows");
  BOOST_TEST(complaint(head + "1,2\n") == "f.csv: line 2: 2 cells, the header has 3");
  BOOST_TEST(complaint(head + "1,2,3\n4,fast,6\n") ==
             "f.csv: line 3: prefill_tps is 'fast', expected a number");
  for (const char* endless : {"inf", "nan", "1e300", "1e-320"}) {
    BOOST_TEST(complaint(head + "1," + endless + ",3\n").find("expected a number") !=
               std::string::npos);
  }
  BOOST_TEST(complaint(head + "-1,2,3\n") ==
             "f.csv: line 2: ctx_tokens is '-1', expected a number");
  BOOST_TEST(complaint(head + "1,-2,3\n") ==
             "f.csv: line 2: prefill_tps is '-2', expected a number");
}

BOOST_AUTO_TEST_CASE(medians_are_taken_by_context) {
  const auto out =
      medians({row(20, 5, 50), row(10, 1, 10), row(10, 9, 30), row(10, 2, 20), row(20, 7, 70)});
  BOOST_TEST_REQUIRE(out.size() == 2U);
  BOOST_TEST(out[0].ctx_tokens == 10U);
  BOOST_TEST(out[0].prefill_tps == 2.0);
  BOOST_TEST(out[0].gen_tps == 20.0);
  BOOST_TEST(out[0].run == 3U);
  BOOST_TEST(out[1].prefill_tps == 6.0);
  BOOST_TEST(out[1].gen_tps == 60.0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::bench
