#include "bench/ops/op_rows.hpp"

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>

#include "bench/csv.hpp"

namespace ds4::bench {
namespace {

OpRow row() {
  OpRow out;
  out.kernel = "attn_q_b";
  out.shape = "32768x1024";
  out.bytes = 35651584;
  out.us_median = 4000;
  out.gbps = 8.9;
  out.ratio_to_probe = 0.5;
  out.rows = 1;
  out.types = "q8_0";
  out.set_mib = 1054;
  out.samples = 7;
  out.backend = "cpu";
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bench_op_rows)

BOOST_AUTO_TEST_CASE(the_first_columns_are_those_of_the_kernel_table) {
  const std::string header = ops_csv_header();
  BOOST_TEST(header.starts_with("kernel,shape,bytes,us_median,gbps,ratio_to_probe,"));
  const std::string line = ops_csv_line(row());
  BOOST_TEST(line.starts_with("attn_q_b,32768x1024,35651584,4000.00,8.900,0.5000,"));
  BOOST_TEST(csv_cells(line).size() == csv_cells(header).size());
}

BOOST_AUTO_TEST_CASE(an_empty_first_cell_does_not_move_the_others) {
  OpRow nameless = row();
  nameless.kernel.clear();
  BOOST_TEST(ops_csv_line(nameless).starts_with(",32768x1024,"));
}

BOOST_AUTO_TEST_CASE(json_has_the_columns_of_the_csv) {
  RunFacts facts;
  facts.model = "synthetic:flash";
  const auto all = boost::json::parse(ops_json(facts, {row()})).as_object();
  BOOST_TEST(all.at("model").as_string() == "synthetic:flash");
  BOOST_TEST(!all.contains("prompt"));
  const auto& first = all.at("rows").as_array().at(0).as_object();
  BOOST_TEST(first.size() == csv_cells(ops_csv_header()).size());
  BOOST_TEST(first.at("shape").as_string() == "32768x1024");
  BOOST_TEST(first.at("bytes").to_number<double>() == 35651584.0);
}

BOOST_AUTO_TEST_CASE(the_table_says_why_a_kernel_did_not_run) {
  OpRow idle = row();
  idle.note = "not run: needs 9 MiB";
  const std::string table = ops_table({row(), idle});
  BOOST_TEST(std::count(table.begin(), table.end(), '\n') == 3);
  BOOST_TEST(table.find("needs 9 MiB") != std::string::npos, table);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::bench
