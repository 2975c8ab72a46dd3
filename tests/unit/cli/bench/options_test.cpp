#include "bench/options.hpp"

#include <boost/test/unit_test.hpp>

namespace ds4::bench {
namespace {

using Words = std::vector<std::string>;
using Frontiers = std::vector<std::uint32_t>;

Frontiers walk(std::uint32_t first, std::uint32_t last, std::uint32_t increment, float factor = 1) {
  BenchOptions options;
  options.first = first;
  options.last = last;
  options.increment = increment;
  options.factor = factor;
  return frontiers(options);
}

/// The complaint about such a command line; empty when there is none.
std::string complaint(const Words& words) {
  BenchOptions options;
  auto parsed = make_option_table(options).parse(words);
  if (parsed) parsed = check_options(options);
  return parsed ? "" : parsed.error().what;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bench_options)

BOOST_AUTO_TEST_CASE(frontiers_are_linear_or_geometric_and_the_last_is_always_there) {
  BOOST_TEST(walk(2048, 8192, 2048) == (Frontiers{2048, 4096, 6144, 8192}),
             boost::test_tools::per_element());
  BOOST_TEST(walk(100, 450, 200) == (Frontiers{100, 300, 450}), boost::test_tools::per_element());
  BOOST_TEST(walk(7, 7, 1) == (Frontiers{7}), boost::test_tools::per_element());
  // ceil(3 * 1.5) = 5, ceil(7.5) = 8, 12, 18.
  BOOST_TEST(walk(3, 18, 1, 1.5F) == (Frontiers{3, 5, 8, 12, 18}),
             boost::test_tools::per_element());
  // A factor that hardly grows still goes on by a token.
  BOOST_TEST(walk(1, 3, 100, 1.0001F) == (Frontiers{1, 2, 3}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(contradictions_are_one_line) {
  BOOST_TEST(complaint({}).empty());
  BOOST_TEST(complaint({"--ctx-start", "9", "--ctx-max", "8"}) ==
             "--ctx-start 9 lies behind --ctx-max 8");
  BOOST_TEST(complaint({"--ctx-max", "4096", "-n", "10", "--ctx-alloc", "4106"}) ==
             "--ctx-alloc 4106 must exceed --ctx-max and --gen-tokens together, 4106");
  BOOST_TEST(complaint({"--ctx-max", "4096", "-n", "10", "--ctx-alloc", "4107"}).empty());
  BOOST_TEST(complaint({"--ctx", "4096"}).starts_with("--ctx is for one context"));
  BOOST_TEST(complaint({"--prompt-file", "a", "--chat-prompt-file", "b"}) ==
             "--prompt-file and --chat-prompt-file cannot be used together");
  for (const char* pair : {"a", "a,", ",b", "a,b,c"}) {
    BOOST_TEST(complaint({"--compare", pair}).find("expected A,B") != std::string::npos, pair);
  }
  BOOST_TEST(complaint({"--compare", "a,b", "--gate", "c"}).find("exclude each other") !=
             std::string::npos);
  BOOST_TEST(complaint({"--gate", "c", "--probe-mib", "0"}) ==
             "--gate compares ratios; it needs the probe");
  BOOST_TEST(complaint({"--gate", "c", "-n", "1"}) ==
             "--gate compares steady decoding; -n must be at least 2");
  BOOST_TEST(complaint({"--gate", "c", "--csv", "c"}) == "--gate and --csv name the same file");
  BOOST_TEST(complaint({"--svg", "c", "--ctx-start", "9", "--ctx-max", "9"}).starts_with("--svg"));
  BOOST_TEST(complaint({"--step-mul", "0.5"}).find("--step-mul") != std::string::npos);
  BOOST_TEST(complaint({"--system", "Be brief."}).starts_with("--system has no effect without"));
  BOOST_TEST(complaint({"--system", "Be brief.", "--prompt-file", "a"})
                 .starts_with("--system has no effect without"));
  BOOST_TEST(complaint({"--system", "", "--chat-prompt-file", "a"}).empty());
  BOOST_TEST(
      complaint({"--shadow", "cpu-reference"}).starts_with("--shadow: this version does not"));
  BOOST_TEST(complaint({"--logits", "c", "--csv", "c"}) == "--csv and --logits name the same file");
  BOOST_TEST(complaint({"--logits", "c", "--gate", "c"}) ==
             "--gate and --logits name the same file");
  BOOST_TEST(complaint({"--logits", "c", "--json", "c"}) ==
             "--json and --logits name the same file");
  BOOST_TEST(complaint({"--json", "./c", "--csv", "c"}) == "--csv and --json name the same file");
  BOOST_TEST(complaint({"--json", "c.meta.json", "--csv", "c"}) ==
             "the facts of --csv and --json name the same file");
  BOOST_TEST(complaint({"--svg", "c", "--csv", "c"}) == "--csv and --svg name the same file");
  BOOST_TEST(complaint({"--chart", "c.csv", "--svg", "c.csv"}) ==
             "--chart and --svg name the same file");
  BOOST_TEST(complaint({"--compare", "a.csv,b.csv", "--svg", "b.csv"}) ==
             "--compare and --svg name the same file");
  BOOST_TEST(complaint({"--prompt-file", "p", "--csv", "./p"}) ==
             "--prompt-file and --csv name the same file");
  BOOST_TEST(complaint({"--json", "/dev/null", "--csv", "/dev/null"}).empty());
  BOOST_TEST(complaint({"--logits", "c", "--chart", "d"}) ==
             "--logits has no effect without a sweep");
  BOOST_TEST(complaint({"--compare-logits", "a,b"}).empty());
  BOOST_TEST(complaint({"--compare-logits", "a"}).find("two files of logits") != std::string::npos);
  BOOST_TEST(complaint({"--compare-logits", "a,b", "--chart", "c"}).find("exclude each other") !=
             std::string::npos);
  BOOST_TEST(complaint({"--gen-tokens", "x"}).find("got 'x'") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::bench
