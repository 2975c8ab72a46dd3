#include "model/traffic.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <map>
#include <string>

#include "tests/unit/engine/flash.hpp"

namespace ds4 {
namespace {

std::map<std::string, double> megabytes(const ModelFile& model) {
  std::map<std::string, double> out;
  for (const TrafficRow& row : decode_traffic(model)) {
    out[std::string(row.component)] = static_cast<double>(row.bytes) / 1e6;
  }
  return out;
}

double total(const std::map<std::string, double>& rows) {
  double sum = 0;
  for (const auto& [name, value] : rows) sum += value;
  return sum;
}

// The tables print one decimal, so they are off by at most half of it.
constexpr double kHalf = 0.0501;

}  // namespace

BOOST_AUTO_TEST_SUITE(traffic)

// The figures are those of the performance notes, section 1.2: computed there from the shapes.
BOOST_AUTO_TEST_CASE(a_flash_token_reads_what_the_tables_say) {
  const test::HeaderModel flash("flash");
  const auto rows = megabytes(*flash.file);
  const std::map<std::string, double> expected = {
      {"attention q_a", 191.6},         {"attention kv", 95.8},
      {"attention q_b", 1533.0},        {"attention output a", 1533.0},
      {"attention output b", 1533.0},   {"compressor, ratio 4", 352.3},
      {"compressor, ratio 128", 167.8}, {"indexer compressor", 88.1},
      {"indexer q_b", 352.3},           {"indexer weights", 11.0},
      {"hyper-connection mix", 67.6},   {"router", 90.2},
      {"shared expert", 1149.8},        {"routed gate and up", 1115.9},
      {"routed down", 710.1},           {"output head", 562.6}};
  for (const auto& [name, value] : expected) {
    BOOST_TEST_CONTEXT(name) {
      BOOST_TEST_REQUIRE(rows.contains(name));
      BOOST_TEST(std::abs(rows.at(name) - value) < kHalf);
    }
  }
  BOOST_TEST(rows.size() == expected.size() + 1);
  // "HC head, embedding row, norms: < 3" of the model notes, 8.3.
  BOOST_TEST(rows.at("norms, tables and the rest") < 3.0);
  BOOST_TEST(std::abs(total(rows) - rows.at("norms, tables and the rest") - 9554) < 0.5);
}

BOOST_AUTO_TEST_CASE(a_pro_token_reads_what_the_tables_say) {
  const test::HeaderModel pro("pro");
  const auto rows = megabytes(*pro.file);
  BOOST_TEST(std::abs(rows.at("attention q_a") - 713.6) < kHalf);
  BOOST_TEST(std::abs(rows.at("attention q_b") - 6524.2) < kHalf);
  BOOST_TEST(std::abs(rows.at("attention output b") - 7611.6) < kHalf);
  BOOST_TEST(std::abs(rows.at("indexer q_b") - 755.0) < kHalf);
  BOOST_TEST(std::abs(rows.at("routed gate and up") + rows.at("routed down") - 6800) < 0.5);
  BOOST_TEST(rows.at("norms, tables and the rest") < 5.0);
  BOOST_TEST(std::abs(total(rows) - 34346) < 5.5);
}

BOOST_AUTO_TEST_CASE(other_expert_types_change_the_routed_rows_alone) {
  SyntheticSpec spec = test::must(SyntheticSpec::make("flash"));
  spec.types.expert_gate_up = spec.types.expert_down = Dtype::q4_k;
  const test::HeaderModel flash(spec);
  const auto rows = megabytes(*flash.file);
  BOOST_TEST(std::abs(rows.at("routed gate and up") + rows.at("routed down") - 3652) < 0.6);
  BOOST_TEST(std::abs(rows.at("shared expert") - 1149.8) < kHalf);
}

BOOST_AUTO_TEST_CASE(layers_are_counted_by_kind) {
  const test::HeaderModel flash("flash");
  for (const TrafficRow& row : decode_traffic(*flash.file)) {
    if (row.component == "compressor, ratio 4") BOOST_TEST(row.layers == 21U);
    if (row.component == "compressor, ratio 128") BOOST_TEST(row.layers == 20U);
    if (row.component == "shared expert") BOOST_TEST(row.layers == 43U);
    if (row.component == "output head") BOOST_TEST(row.layers == 1U);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4
