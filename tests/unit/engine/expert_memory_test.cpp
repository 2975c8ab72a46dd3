#include <boost/test/unit_test.hpp>

#include "engine/memory_planner.hpp"
#include "tests/unit/engine/flash.hpp"

// Plans of models whose routed experts come through a cache.

namespace ds4 {
namespace {

using Mode = ExpertCacheOptions::Mode;

constexpr std::uint64_t kGiB = 1ULL << 30;

MemoryPlanner planner_of(const ModelFile& model, ExpertCacheOptions experts,
                         PlanQuestions questions = {}) {
  MemoryPlanInputs inputs;
  inputs.experts = experts;
  return test::must(MemoryPlanner::make(model, inputs, std::move(questions)));
}

MemoryLimits host_of(std::uint64_t available) {
  MemoryLimits limits;
  MemoryBound bound;
  bound.source = "MemAvailable";
  bound.limit = bound.available = available;
  limits.host.bounds.push_back(bound);
  return limits;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(expert_memory)

BOOST_AUTO_TEST_CASE(experts_stay_weights_where_they_fit) {
  const test::HeaderModel flash("flash");
  const MemoryPlan plan = test::must(planner_of(*flash.file, {}).fitting_plan(host_of(128 * kGiB)));
  BOOST_TEST(!plan.experts.has_value());
  BOOST_TEST(plan.weights.in_place > 80 * kGiB);
}

BOOST_AUTO_TEST_CASE(a_model_that_does_not_fit_gets_a_cache_of_what_is_left) {
  const test::HeaderModel flash("flash");
  const MemoryPlanner planner = planner_of(*flash.file, {});
  std::uint64_t held = 0;
  for (const std::uint64_t gib : {16, 24, 48}) {
    const MemoryLimits limits = host_of(gib * kGiB);
    const MemoryPlan plan = test::must(planner.fitting_plan(limits));
    BOOST_TEST_REQUIRE(plan.experts.has_value());
    BOOST_TEST(plan.experts->is_forced);
    BOOST_TEST(fits(plan, limits));
    // 43 layers of 256; two and a quarter bits a weight of 3 x 2048 x 4096 and a little more.
    BOOST_TEST(plan.experts->all == 43U * 256);
    BOOST_TEST(plan.experts->slot_bytes > 7'000'000U);
    BOOST_TEST(plan.experts->slot_bytes < 7'200'000U);
    BOOST_TEST(plan.experts->held > held);
    held = plan.experts->held;
    // Nothing but the experts is left out, and most of what is there is used.
    const MemoryPlan whole = test::must(planner.plan());
    BOOST_TEST(plan.weights.in_place + plan.experts->tensor_bytes == whole.weights.in_place);
    BOOST_TEST(plan.host_bytes() > gib * kGiB / 100 * 85);
  }
}

BOOST_AUTO_TEST_CASE(a_cache_of_a_given_size_is_planned_as_given) {
  const test::HeaderModel flash("flash");
  const MemoryPlan plan =
      test::must(planner_of(*flash.file, {Mode::fixed, 5 * kGiB}).fitting_plan(host_of(24 * kGiB)));
  BOOST_TEST_REQUIRE(plan.experts.has_value());
  BOOST_TEST(!plan.experts->is_forced);
  BOOST_TEST(plan.experts->bytes() <= 5 * kGiB);
  BOOST_TEST(plan.experts->bytes() + plan.experts->slot_bytes > 5 * kGiB);
  // More than there are experts takes no more than they do.
  const MemoryPlan all = test::must(planner_of(*flash.file, {Mode::fixed, 500 * kGiB}).plan());
  BOOST_TEST(all.experts->held == all.experts->all);
}

BOOST_AUTO_TEST_CASE(a_cache_that_does_not_fit_is_refused_with_the_numbers) {
  const test::HeaderModel flash("flash");
  const MemoryPlanner planner = planner_of(*flash.file, {Mode::fixed, 40 * kGiB});
  const auto refused = planner.fitting_plan(host_of(24 * kGiB));
  BOOST_TEST_REQUIRE(!refused.ok());
  BOOST_TEST_CONTEXT(refused.error().what) {
    BOOST_TEST(contains(refused.error().what, "an expert cache of "));
    BOOST_TEST(contains(refused.error().what, " of 11008 experts "));
    BOOST_TEST(contains(refused.error().what, "24.00 GiB are available (MemAvailable)"));
    BOOST_TEST(contains(refused.error().what, "no context would fit"));
    BOOST_TEST(!contains(refused.error().what, "\n"));
  }
  // Where not even the smallest cache fits, the same.
  const auto tiny = planner_of(*flash.file, {}).fitting_plan(host_of(4 * kGiB));
  BOOST_TEST_REQUIRE(!tiny.ok());
  BOOST_TEST(contains(tiny.error().what, "an expert cache of 6 of 11008"), tiny.error().what);
}

BOOST_AUTO_TEST_CASE(a_cache_for_less_than_a_token_says_what_it_needs) {
  const test::HeaderModel flash("flash");
  const auto plan = planner_of(*flash.file, {Mode::fixed, 1000}).plan();
  BOOST_TEST_REQUIRE(!plan.ok());
  BOOST_TEST((plan.error().code == Errc::invalid_argument));
  BOOST_TEST(contains(plan.error().what, "a token uses 6 at once: give --expert-cache at least "),
             plan.error().what);
}

BOOST_AUTO_TEST_CASE(a_context_that_only_fits_beside_a_cache_gets_one) {
  const test::HeaderModel flash("flash");
  const MemoryPlanner planner = planner_of(*flash.file, {});
  const MemoryPlan whole = test::must(planner.plan());
  const MemoryLimits limits = host_of(whole.host_bytes());  // headroom is missing
  const MemoryPlan plan = test::must(planner.fitting_plan(limits));
  BOOST_TEST_REQUIRE(plan.experts.has_value());
  BOOST_TEST(plan.experts->held > plan.experts->all / 2);
  BOOST_TEST(test::must(planner.best_plan(limits)).experts->held == plan.experts->held);
}

BOOST_AUTO_TEST_CASE(a_device_that_takes_no_experts_one_by_one_is_named_where_it_matters) {
  const test::HeaderModel flash("flash");
  PlanQuestions questions;
  questions.device = "acme";
  questions.weight = [](const ds4_weight_desc& desc) {
    ds4_weight_answer answer{};
    answer.accepted = (desc.flags & DS4_WEIGHT_STREAMED) == 0 ? 1 : 0;
    answer.packed_bytes = desc.bytes;
    return Result<ds4_weight_answer>(answer);
  };
  const auto refused = planner_of(*flash.file, {}, questions).fitting_plan(host_of(24 * kGiB));
  BOOST_TEST_REQUIRE(!refused.ok());
  BOOST_TEST(contains(refused.error().what, "no expert cache: tensor blk.0.ffn_gate_exps.weight"),
             refused.error().what);
  MemoryPlanInputs inputs;
  inputs.experts = {Mode::fixed, 5 * kGiB};
  const auto asked = MemoryPlanner::make(*flash.file, inputs, questions);
  BOOST_TEST_REQUIRE(!asked.ok());
  BOOST_TEST((asked.error().code == Errc::unsupported));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4
