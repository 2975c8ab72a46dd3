#include "bench/ops/ops_options.hpp"

#include <boost/test/unit_test.hpp>

namespace ds4::bench {
namespace {

using Words = std::vector<std::string>;
using Numbers = std::vector<std::uint32_t>;

struct Parsed {
  OpsOptions options;
  std::string complaint;
};

Parsed parse(const Words& words) {
  Parsed out;
  auto parsed = make_ops_table(out.options).parse(words);
  if (parsed) parsed = check_ops_options(out.options);
  if (!parsed) out.complaint = parsed.error().what;
  return out;
}

bool complains(const Words& words, const std::string& about) {
  const std::string complaint = parse(words).complaint;
  return complaint.find(about) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bench_ops_options)

BOOST_AUTO_TEST_CASE(shapes_are_those_of_flash_unless_a_model_is_named) {
  BOOST_TEST(parse({}).options.model() == "synthetic:flash");
  BOOST_TEST(parse({"-m", "synthetic:micro"}).options.model() == "synthetic:micro");
}

BOOST_AUTO_TEST_CASE(lists_are_numbers_between_commas) {
  const Parsed some = parse({"--rows", "1,8,512", "--contexts", "4096"});
  BOOST_TEST(some.complaint.empty(), some.complaint);
  BOOST_TEST(some.options.rows == (Numbers{1, 8, 512}), boost::test_tools::per_element());
  BOOST_TEST(some.options.contexts == (Numbers{4096}), boost::test_tools::per_element());
  for (const char* bad : {"", "1,", ",1", "1,,2", "0", "x", "1;2"}) {
    BOOST_TEST(complains({"--rows", bad}, "--rows"), bad);
    BOOST_TEST(complains({"--contexts", bad}, "--contexts"), bad);
  }
}

BOOST_AUTO_TEST_CASE(contradictions_are_one_line) {
  BOOST_TEST(complains({"--rows", "4096", "--contexts", "2048,8192"},
                       "--rows 4096 do not fit into --contexts 2048"));
  BOOST_TEST(complains({"--ctx", "4096"}, "name them with --contexts"));
  BOOST_TEST(complains({"--place", "0-3=cpu"}, "--place cannot be used"));
  BOOST_TEST(complains({"--op", "("}, "'(' is no regular expression"));
  BOOST_TEST(complains({"--shadow", "cpu-reference"}, "ds4-validate checks kernels"));
  BOOST_TEST(complains({"--csv", "a", "--json", "a"}, "name the same file"));
  BOOST_TEST(complains({"--set-mib", "0"}, "--set-mib"));
  BOOST_TEST(complains({"--gen-tokens", "3"}, "unknown option"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::bench
