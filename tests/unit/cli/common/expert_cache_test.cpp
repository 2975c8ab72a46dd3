#include "common/expert_cache.hpp"

#include <boost/test/unit_test.hpp>

namespace ds4::cli {
namespace {

using Mode = ExpertCacheOptions::Mode;

std::uint64_t bytes_of(std::string_view text) {
  const auto parsed = parse_expert_cache(text);
  return parsed && parsed->mode == Mode::fixed ? parsed->bytes : 0;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(expert_cache_option)

BOOST_AUTO_TEST_CASE(sizes_are_bytes_or_have_a_binary_unit) {
  BOOST_TEST(bytes_of("4096") == 4096U);
  BOOST_TEST(bytes_of("1KiB") == 1024U);
  BOOST_TEST(bytes_of("512MiB") == 512ULL << 20);
  BOOST_TEST(bytes_of("8GiB") == 8ULL << 30);
  BOOST_TEST(bytes_of("1.5GiB") == 3ULL << 29);
  BOOST_TEST(bytes_of("2TiB") == 2ULL << 40);
}

BOOST_AUTO_TEST_CASE(words_are_modes) {
  BOOST_TEST((parse_expert_cache("auto")->mode == Mode::automatic));
  BOOST_TEST((parse_expert_cache("off")->mode == Mode::off));
}

BOOST_AUTO_TEST_CASE(what_is_no_size_is_refused) {
  for (const char* text : {"", "0", "0GiB", "-1", "8GB", "8 GiB", "GiB", "x", "1.5", "inf", "nan",
                           "1e3", "8GiBx", "99999999999TiB"}) {
    const auto parsed = parse_expert_cache(text);
    BOOST_TEST_CONTEXT("'" << text << "'") {
      BOOST_TEST_REQUIRE(!parsed.ok());
      BOOST_TEST((parsed.error().code == Errc::invalid_argument));
      BOOST_TEST(parsed.error().what.find("such as 8GiB") != std::string::npos);
    }
  }
}

BOOST_AUTO_TEST_CASE(lines_say_what_a_cache_holds_and_did) {
  MemoryPlan plan;
  BOOST_TEST(expert_line(plan).empty());
  ExpertMemory experts;
  experts.slot_bytes = 7 << 20;
  experts.held = 1024;
  experts.all = 11008;
  experts.is_forced = true;
  plan.experts = experts;
  BOOST_TEST(
      expert_line(plan) ==
      "expert cache: not all weights fit into memory, so 1024 of 11008 routed experts (9.3 %) "
      "stay, in 7.00 GiB, and the others are read when they are chosen");
  ExpertReport report;
  report.counts.hits = 600;
  report.counts.misses = 380;
  report.counts.read_ahead = 50;
  report.counts.late = 20;
  report.counts.waited_seconds = 1.25;
  report.counts.bytes_read = 3ULL << 30;
  BOOST_TEST(
      expert_counts_line(report) ==
      "expert cache: hit rate 60.0 % of 1000 (5.0 % read ahead), 2.0 % still on the way, 380 "
      "misses, waited 1.25 s, 3.00 GiB read");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::cli
