#include "bench/compare.hpp"

#include <boost/test/unit_test.hpp>

namespace ds4::bench {
namespace {

BenchRow row(std::uint32_t context, double ratio, double prefill_ratio) {
  BenchRow out;
  out.ctx_tokens = context;
  out.ratio = ratio;
  out.prefill_ratio = prefill_ratio;
  out.prefill_tps = 100 * prefill_ratio;
  out.gen_tps = 10 * ratio;
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bench_compare)

BOOST_AUTO_TEST_CASE(ratios_are_those_of_the_contexts_that_both_have) {
  const auto text = comparison({row(1024, 0.5, 0.1), row(2048, 0.4, 0.1)},
                               {row(2048, 0.6, 0.3), row(4096, 1, 1)}, "old.csv", "new.csv");
  BOOST_TEST_REQUIRE(text.ok());
  BOOST_TEST(text->find("2048      10.00      30.00      3.000       4.00       6.00      1.500") !=
                 std::string::npos,
             *text);
  BOOST_TEST(text->find("1024") == std::string::npos);
  const auto none = comparison({row(1, 1, 1)}, {row(2, 1, 1)}, "a", "b");
  BOOST_TEST_REQUIRE(!none.ok());
  BOOST_TEST(none.error().what == "a and b have no context in common");
}

BOOST_AUTO_TEST_CASE(a_loss_is_a_ratio_that_fell_by_more_than_the_share) {
  const std::vector<BenchRow> before = {row(1, 0.50, 0.20), row(2, 0.50, 0.20)};
  const auto kept = losses(before, {row(1, 0.451, 0.181), row(2, 0.6, 0.3)}, 0.10);
  BOOST_TEST_REQUIRE(kept.ok());
  BOOST_TEST(kept->empty());
  const auto lost = losses(before, {row(1, 0.449, 0.20), row(2, 0.50, 0.179)}, 0.10);
  BOOST_TEST_REQUIRE(lost.ok());
  BOOST_TEST_REQUIRE(lost->size() == 2U);
  BOOST_TEST((*lost)[0].ctx_tokens == 1U);
  BOOST_TEST((*lost)[0].what == std::string("decode"));
  BOOST_TEST((*lost)[1].ctx_tokens == 2U);
  BOOST_TEST((*lost)[1].what == std::string("prefill"));
}

BOOST_AUTO_TEST_CASE(a_baseline_without_ratios_can_not_be_a_gate) {
  BOOST_TEST(!losses({row(1, 0, 0)}, {row(1, 0.5, 0.5)}, 0.10).ok());
  BOOST_TEST(!losses({row(1, 0.5, 0.5)}, {row(2, 0.5, 0.5)}, 0.10).ok());
}

BOOST_AUTO_TEST_CASE(only_losses_of_the_same_kind_and_context_repeat) {
  const std::vector<Loss> first = {{1, "decode", 0.5, 0.4}, {2, "prefill", 0.5, 0.4}};
  const std::vector<Loss> second = {{1, "prefill", 0.5, 0.4}, {2, "prefill", 0.5, 0.3}};
  const auto both = repeated(first, second);
  BOOST_TEST_REQUIRE(both.size() == 1U);
  BOOST_TEST(both[0].ctx_tokens == 2U);
  BOOST_TEST(both[0].now == 0.3);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::bench
