#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

#include "run/options.hpp"

namespace ds4::run {
namespace {

Result<void> parse(RunOptions& options, const std::vector<std::string>& arguments) {
  const cli::OptionTable table = make_option_table(options);
  DS4_CHECK(table.parse(arguments));
  return check_options(options);
}

struct Bad {
  std::vector<std::string> arguments;
  std::string mentions;
};
std::ostream& operator<<(std::ostream& out, const Bad& bad) {
  for (const std::string& argument : bad.arguments) out << argument << ' ';
  return out;
}

const std::vector<Bad> kBad = {
    {{"--ctx"}, "--ctx"},
    {{"--ctx", "0"}, "--ctx"},
    {{"--ctx", "12x"}, "12x"},
    {{"--ctx", "0x10"}, "0x10"},
    {{"--ctx", "2147483648"}, "2147483648"},
    {{"--ctx", "-5"}, "--ctx"},
    {{"--ctx=1.5"}, "1.5"},
    {{"--ctx="}, "--ctx"},
    {{"-n", "many"}, "--tokens"},
    {{"--threads", "33"}, "--threads"},
    {{"--temp", "nan"}, "--temp"},
    {{"--temp", "inf"}, "--temp"},
    {{"--temp", "101"}, "101"},
    {{"--temp", "1,5"}, "1,5"},
    {{"--top-p", "1.01"}, "--top-p"},
    {{"--min-p", "-0.1"}, "--min-p"},
    {{"--seed", "0"}, "--seed"},
    {{"--seed", "18446744073709551616"}, "--seed"},
    {{"--logit-bias", "5"}, "TOKEN=BIAS"},
    {{"--logprobs-top-k", "129"}, "--logprobs-top-k"},
    {{"--color", "blue"}, "blue"},
    {{"--log-level", "loud"}, "loud"},
    {{"--probe", "maybe"}, "maybe"},
    {{"--list-backends=xml"}, "xml"},
    {{"--show-thinking", "yes"}, "yes"},
    {{"--backend-option", "nonsense"}, "--backend-option"},
    {{"--cpu", "--cuda"}, "cpu"},
    {{"--backend", "cpu", "--metal"}, "cpu"},
    {{"--think", "--nothink"}, "--nothink"},
    {{"-p", "a", "-p", "b"}, "--prompt"},
    {{"-p", "a", "--prompt-file", "b"}, "--prompt-file"},
    {{"--chat", "-p", "a"}, "--chat"},
    {{"--chat", "--json"}, "--json"},
    {{"--inspect", "--report"}, "--inspect"},
    {{"--ppl-chunks"}, "--perplexity-file"},
    {{"--inspect", "--json"}, "--json"},
    {{"--dump-logits", "x", "--trace", "y"}, "--trace"},
    {{"--report", "--show-thinking", "never"}, "--show-thinking"},
    {{"--mtp", "file.gguf"}, "speculative"},
    {{"--mtp=file.gguf"}, "speculative"},
    {{"--power", "50", "-p", "a"}, "power"},
    {{"--deterministic"}, "deterministic"},
    {{"--no-such-option"}, "--no-such-option"},
    {{"--no-such-option=3"}, "--no-such-option"},
    {{"-z"}, "-z"},
    {{"stray"}, "stray"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(run_options)

BOOST_DATA_TEST_CASE(a_bad_command_line_is_refused_in_one_line_that_names_the_culprit, kBad, bad) {
  RunOptions options;
  const auto parsed = parse(options, bad.arguments);
  BOOST_REQUIRE(!parsed);
  const std::string what = parsed.error().what;
  BOOST_TEST(what.find('\n') == std::string::npos);
  BOOST_TEST(what.find(bad.mentions) != std::string::npos, what);
}

BOOST_AUTO_TEST_CASE(an_unknown_option_is_told_apart_because_usage_follows_it) {
  RunOptions options;
  BOOST_CHECK(parse(options, {"--nonesuch"}).error().code == Errc::not_found);
  BOOST_CHECK(parse(options, {"--ctx", "x"}).error().code == Errc::invalid_argument);
}

BOOST_AUTO_TEST_CASE(values_may_follow_as_a_word_or_after_an_equal_sign) {
  RunOptions options;
  BOOST_REQUIRE(parse(options, {"-c", "100", "--tokens=7", "--temp=0", "--min-p", "0.25"}));
  BOOST_TEST(options.runtime.context == 100U);
  BOOST_TEST(options.tokens == 7U);
  BOOST_TEST(options.sampling.params.temperature == 0.0F);
  BOOST_TEST(options.sampling.params.min_p == 0.25F);
}

BOOST_AUTO_TEST_CASE(the_largest_seed_is_taken_exactly) {
  RunOptions options;
  BOOST_REQUIRE(parse(options, {"--seed", "18446744073709551615"}));
  BOOST_TEST(options.sampling.params.seed == 18446744073709551615ULL);
}

BOOST_AUTO_TEST_CASE(a_later_value_replaces_an_earlier_one) {
  RunOptions options;
  BOOST_REQUIRE(parse(options, {"--ctx", "100", "--ctx", "200"}));
  BOOST_TEST(options.runtime.context == 200U);
}

BOOST_AUTO_TEST_CASE(repeatable_options_keep_every_value) {
  RunOptions options;
  BOOST_REQUIRE(parse(options, {"--logit-bias", "3=-100", "--logit-bias=4=1.5", "-p", "x"}));
  BOOST_REQUIRE(options.sampling.params.logit_bias.size() == 2U);
  BOOST_TEST(options.sampling.params.logit_bias[1].token == 4);
  BOOST_TEST(options.sampling.params.logit_bias[1].bias == 1.5F);
  BOOST_TEST(*options.prompt == "x");
}

BOOST_AUTO_TEST_CASE(a_listing_without_a_value_is_the_table) {
  RunOptions options;
  BOOST_REQUIRE(parse(options, {"--list-backends"}));
  BOOST_CHECK(options.runtime.list_backends == plugins::ListingStyle::table);
  BOOST_REQUIRE(parse(options, {"--list-backends=json"}));
  BOOST_CHECK(options.runtime.list_backends == plugins::ListingStyle::json);
}

BOOST_AUTO_TEST_CASE(help_takes_an_optional_topic_and_says_when_there_is_none) {
  RunOptions options;
  BOOST_REQUIRE(parse(options, {"--help", "sampling"}));
  BOOST_TEST(*options.runtime.help == "sampling");
  RunOptions plain;
  BOOST_REQUIRE(parse(plain, {"-h"}));
  BOOST_TEST(*plain.runtime.help == "");
  const std::string unknown = make_option_table(plain).help("cooking", false);
  BOOST_TEST(unknown.find("cooking") != std::string::npos);
  BOOST_TEST(unknown.find("--prompt") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(help_pads_names_to_thirty_columns_and_breaks_after_longer_ones) {
  RunOptions options;
  const std::string help = make_option_table(options).help("all", false);
  BOOST_TEST(help.find("\n  -n, --tokens N              most tokens") != std::string::npos, help);
  BOOST_TEST(help.find("  --allow-untrusted-backend PATH\n      accept") != std::string::npos);
  BOOST_TEST(help.find('\x1b') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(rounding_switches_reach_the_engine_options) {
  RunOptions options;
  BOOST_REQUIRE(parse(options, {"--no-kv-fp8", "--no-row-storage", "--no-index-fp4"}));
  BOOST_TEST(!options.runtime.roundings.kv_fp8);
  BOOST_TEST(!options.runtime.roundings.row_storage);
  BOOST_TEST(!options.runtime.roundings.index_fp4);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::run
