#include "engine/memory_plan.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cmath>

#include "engine/memory_planner.hpp"
#include "tests/unit/engine/flash.hpp"

namespace ds4 {
namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;

MemoryPlanner planner_of(const ModelFile& model, const MemoryPlanInputs& inputs = {},
                         PlanQuestions questions = {}) {
  return test::must(MemoryPlanner::make(model, inputs, std::move(questions)));
}

MemoryLimits host_of(std::uint64_t available) {
  MemoryLimits limits;
  limits.host.bounds = {{"MemAvailable", available, available}, {"cgroup /x", ~0ULL, ~0ULL}};
  return limits;
}

// Not a list of braces: g++ 12 at -O3 takes its strings for uninitialised.
MemoryLimits::Device bound_of(MemoryBound bound, std::vector<std::size_t> devices) {
  MemoryLimits::Device out;
  out.bound = std::move(bound);
  out.of = std::move(devices);
  return out;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(memory_plan)

BOOST_AUTO_TEST_CASE(flash_has_the_published_size) {
  const test::HeaderModel flash("flash");
  BOOST_TEST(flash.file->gguf().tensors().size() == 1328U);
  const MemoryPlan plan = test::must(planner_of(*flash.file).plan());
  BOOST_TEST(plan.weights.tensors == 1328U);
  // Model notes 8.2: 77.91 GB of experts and 8.80 GB of everything else.
  BOOST_TEST(std::abs(static_cast<double>(plan.weights.in_place) / 1e9 - 86.71) < 0.01);
  BOOST_TEST(plan.is_estimate);
  BOOST_TEST(plan.host_bytes() > plan.weights.in_place);
  BOOST_TEST(plan.device_bytes() == 0U);
}

// Model notes 4.3: growth in decimal MB, fp8 rows and fp4 index rows. Rows come in pages of 64,
// so a context that does not fill its last pages takes up to a page more of each ratio.
BOOST_DATA_TEST_CASE(flash_sessions_grow_as_computed_by_hand,
                     boost::unit_test::data::make({32768, 100000, 1048576}) ^
                         boost::unit_test::data::make({115.2, 351.4, 3685.0}),
                     context, megabytes) {
  const test::HeaderModel flash("flash");
  const MemoryPlan plan =
      test::must(planner_of(*flash.file).plan(static_cast<std::uint32_t>(context)));
  BOOST_TEST_REQUIRE(plan.pages.size() == 2U);
  const double page4 = 64.0 * 21 * (584 + 68) / 1e6;
  const double page128 = 64.0 * 20 * 584 / 1e6;
  const double found = static_cast<double>(plan.page_pool()) / 1e6;
  BOOST_TEST(found >= megabytes - 0.06);
  BOOST_TEST(found <= megabytes + page4 + page128 + 0.06);
  if (context != 100000) BOOST_TEST(std::abs(found - megabytes) < 0.06);
  BOOST_TEST(std::abs(plan.bytes_per_token() - 3514.25) < 0.001);
}

BOOST_AUTO_TEST_CASE(a_flash_session_has_rings_of_twenty_megabytes) {
  const test::HeaderModel flash("flash");
  const MemoryPlan plan = test::must(planner_of(*flash.file).plan());
  // W + 16 rows in every layer, ratio + 16 pairs (8 + 16 of ratio 4), pairs of f32 key and score.
  const std::uint64_t rows = 43ULL * (128 + 16) * 584;
  const std::uint64_t sparse = 21ULL * (8 + 16) * (2 * 1024 + 2 * 256) * 4;
  const std::uint64_t full = 20ULL * (128 + 16) * (2 * 512) * 4;
  BOOST_TEST(plan.slot_bytes >= rows + sparse + full);
  BOOST_TEST(plan.slot_bytes <= rows + sparse + full + 43 * 3 * 256);  // each part is aligned
}

BOOST_AUTO_TEST_CASE(sessions_and_restore_points_each_take_their_rings) {
  const test::HeaderModel tiny("tiny");
  MemoryPlanInputs inputs;
  inputs.context = 1000;
  const MemoryPlan one = test::must(planner_of(*tiny.file, inputs).plan());
  inputs.sessions = 3;
  const MemoryPlan three = test::must(planner_of(*tiny.file, inputs).plan());
  BOOST_TEST(three.page_pool() == 3 * one.page_pool());
  inputs.restore_points = 5;
  const MemoryPlan more = test::must(planner_of(*tiny.file, inputs).plan());
  BOOST_TEST(one.restore_points == 0U);
  BOOST_TEST(more.rings == 3 * one.rings);
  BOOST_TEST(more.restore_points == 5 * one.slot_bytes);
  // Each point may keep a page of each ratio that its session copies when it goes on.
  for (std::size_t i = 0; i < more.pages.size(); ++i) {
    BOOST_TEST(more.pages[i].pages == three.pages[i].pages + 5);
  }
  BOOST_TEST(more.kv() == more.rings + more.restore_points + more.page_pool());
  BOOST_TEST(more.host_bytes() >= one.host_bytes() + 2 * one.kv() + 5 * one.slot_bytes);
}

BOOST_AUTO_TEST_CASE(f32_rows_take_what_f32_takes) {
  const test::HeaderModel flash("flash");
  MemoryPlanInputs inputs;
  inputs.roundings.row_storage = false;
  const MemoryPlan plan = test::must(planner_of(*flash.file, inputs).plan());
  BOOST_TEST(std::abs(static_cast<double>(plan.page_pool()) / 1e6 - 450.9) < 0.06);  // 4.3
}

BOOST_AUTO_TEST_CASE(more_of_anything_never_takes_less) {
  const test::HeaderModel tiny("tiny");
  MemoryPlanInputs inputs;
  inputs.context = 5000;
  const std::uint64_t base = test::must(planner_of(*tiny.file, inputs).plan()).host_bytes();
  const auto with = [&](auto change) {
    MemoryPlanInputs changed = inputs;
    change(changed);
    return test::must(planner_of(*tiny.file, changed).plan()).host_bytes();
  };
  BOOST_TEST(with([](MemoryPlanInputs& in) { in.prefill_rows = 1024; }) > base);
  BOOST_TEST(with([](MemoryPlanInputs& in) { in.decode_rows = 32; }) > base);
  BOOST_TEST(with([](MemoryPlanInputs& in) { in.logits_rows = 64; }) > base);
  BOOST_TEST(with([](MemoryPlanInputs& in) { in.selections = Selections::recorded; }) > base);
  BOOST_TEST(with([](MemoryPlanInputs& in) { in.context = 50000; }) > base);
}

BOOST_AUTO_TEST_CASE(a_plan_that_does_not_fit_names_the_largest_context_that_does) {
  const test::HeaderModel flash("flash");
  MemoryPlanInputs inputs;
  inputs.context = 1000000;
  inputs.experts.mode = ExpertCacheOptions::Mode::off;
  const MemoryPlanner planner = planner_of(*flash.file, inputs);
  // Enough for the weights and for a good deal of context, not for all of it.
  const MemoryPlan small = test::must(planner.plan(200000));
  const MemoryLimits limits =
      host_of(small.host_bytes() + plan_headroom(small.host_bytes()) + 5 * kMiB);
  const auto refused = planner.fitting_plan(limits);
  BOOST_TEST_REQUIRE(!refused.ok());
  BOOST_TEST((refused.error().code == Errc::out_of_memory));
  const std::uint32_t largest = test::must(planner.largest_context(limits));
  BOOST_TEST(largest >= 200000U);
  BOOST_TEST(largest < 210000U);
  const std::string& text = refused.error().what;
  BOOST_TEST(contains(text, "--ctx " + std::to_string(largest) + ")"), text);
  BOOST_TEST(contains(text, "1 x 1000000 tokens"), text);
  BOOST_TEST(contains(text, "MemAvailable"), text);
  BOOST_TEST(contains(text, "weights 80.7"), text);
  BOOST_TEST(!contains(text, "\n"));
  // The answer holds, and is the largest.
  BOOST_TEST(fits(test::must(planner.plan(largest)), limits));
  BOOST_TEST(!fits(test::must(planner.plan(largest + 1)), limits));
  MemoryPlanInputs again = inputs;
  again.context = largest;
  BOOST_TEST(planner_of(*flash.file, again).fitting_plan(limits).ok());
}

BOOST_AUTO_TEST_CASE(weights_that_do_not_fit_leave_no_context) {
  const test::HeaderModel flash("flash");
  const auto begin = std::chrono::steady_clock::now();
  MemoryPlanInputs inputs;
  inputs.experts.mode = ExpertCacheOptions::Mode::off;
  const MemoryPlanner planner = planner_of(*flash.file, inputs);
  const auto refused = planner.fitting_plan(host_of(24ULL << 30));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  BOOST_TEST_REQUIRE(!refused.ok());
  BOOST_TEST(contains(refused.error().what, "no context would fit"), refused.error().what);
  BOOST_TEST_MESSAGE("refused in " << seconds.count() << " s");
  BOOST_TEST(test::must(planner.largest_context(host_of(24ULL << 30))) == 0U);
}

BOOST_AUTO_TEST_CASE(the_tightest_bound_decides_and_is_named) {
  const test::HeaderModel tiny("tiny");
  const MemoryPlanner planner = planner_of(*tiny.file);
  MemoryLimits limits = host_of(64ULL << 30);
  BOOST_TEST(planner.fitting_plan(limits).ok());
  limits.host.bounds.push_back({"cgroup /job", 10 * kMiB, 9 * kMiB});
  const auto refused = planner.fitting_plan(limits);
  BOOST_TEST_REQUIRE(!refused.ok());
  BOOST_TEST(contains(refused.error().what, "(cgroup /job)"), refused.error().what);
}

BOOST_AUTO_TEST_CASE(headroom_is_kept_free) {
  const test::HeaderModel tiny("tiny");
  const MemoryPlan plan = test::must(planner_of(*tiny.file).plan());
  const std::uint64_t need = plan.host_bytes() + plan_headroom(plan.host_bytes());
  BOOST_TEST(fits(plan, host_of(need)));
  BOOST_TEST(!fits(plan, host_of(need - 1)));
  BOOST_TEST(fits(plan, MemoryLimits{}));  // nothing known bounds nothing
}

BOOST_AUTO_TEST_CASE(a_device_with_memory_of_its_own_has_its_own_bound) {
  const test::HeaderModel flash("flash");
  PlanQuestions questions;
  questions.device = "cuda";
  questions.shares_host_memory = false;
  questions.weight = [](const ds4_weight_desc& desc) {
    ds4_weight_answer answer{};
    answer.accepted = 1;
    answer.packed_bytes = desc.bytes;
    return Result<ds4_weight_answer>(answer);
  };
  const MemoryPlanner planner = planner_of(*flash.file, {}, questions);
  const MemoryPlan plan = test::must(planner.plan());
  BOOST_TEST(plan.weights.copied > 86ULL * 1000 * 1000 * 1000);
  BOOST_TEST(plan.device_bytes() > plan.weights.copied + plan.kv());
  BOOST_TEST(plan.host_bytes() < 200 * kMiB);
  MemoryLimits limits = host_of(8ULL << 30);
  limits.devices.push_back(bound_of({"free on card", 140ULL << 30, 139ULL << 30}, {0}));
  BOOST_TEST(fits(plan, limits));
  limits.devices[0].bound.available = 80ULL << 30;
  BOOST_TEST(!fits(plan, limits));
  BOOST_TEST(contains(shortage(plan, limits), "of device memory"));
  BOOST_TEST(contains(shortage(plan, limits), "(free on card)"));
}

BOOST_AUTO_TEST_CASE(the_reference_backend_is_asked) {
  const test::HeaderModel flash("flash");
  const auto device = test::open_device("cpu-reference", 2);
  const MemoryPlanner planner = planner_of(*flash.file, {}, PlanQuestions::of(device.get()));
  const MemoryPlan plan = test::must(planner.plan());
  BOOST_TEST(!plan.is_estimate);
  BOOST_TEST(plan.device == "cpu-reference");
  BOOST_TEST(plan.shares_host_memory);
  BOOST_TEST(plan.workspace > 0U);
  const MemoryPlan estimate = test::must(planner_of(*flash.file).plan());
  BOOST_TEST(plan.weights.in_place == estimate.weights.in_place);
  BOOST_TEST(plan.activations == estimate.activations);
  BOOST_TEST_MESSAGE("activations " << plan.activations << ", workspace " << plan.workspace
                                    << ", estimated " << estimate.workspace);
  const MemoryLimits limits = memory_limits({&device, 1});
  BOOST_TEST(limits.host.bounds.size() >= 2U);
  BOOST_TEST(limits.devices.empty());
}

// What was planned is what an engine then takes, to the byte but for the workspace, which the
// backend is asked for again with the weights at hand.
BOOST_DATA_TEST_CASE(an_engine_takes_what_was_planned,
                     boost::unit_test::data::make({"micro", "tiny", "tiny-window", "tiny-mxfp4"}),
                     shape) {
  for (const char* compose : {"off", "on"}) {
    const test::TemporaryFolder folder;
    EngineOptions options;
    // With the reference's own ops the context is smaller than the prefill rows asked for.
    options.context = compose == std::string_view("on") ? 700 : 25;
    options.sessions = 3;
    options.decode_rows = 5;
    options.prefill_rows = 40;
    options.logits_rows = 7;
    options.selections = Selections::recorded;
    const auto engine = test::open_engine(folder, test::must(SyntheticSpec::make(shape)), options,
                                          2, {{"cpu-reference.compose", compose}});
    const MemoryPlan& plan = engine->memory_plan();
    const MemoryReport& taken = engine->memory();
    BOOST_TEST(plan.weights.in_place == taken.weights_in_place);
    BOOST_TEST(plan.weights.on_device() == taken.weights);
    BOOST_TEST(plan.rings == taken.rings);
    BOOST_TEST(plan.restore_points == taken.restore_points);
    BOOST_TEST(plan.page_pool() == taken.pages);
    BOOST_TEST(plan.activations == taken.activations);
    BOOST_TEST(plan.step == taken.step);
    BOOST_TEST(plan.workspace <= taken.workspace);
    BOOST_TEST(taken.workspace <= plan.workspace + 64 * 1024);
  }
}

// The router's scratch is the largest where there are many experts; its size has to be known before
// the router's weight is.
BOOST_AUTO_TEST_CASE(scratch_is_planned_without_the_weights) {
  SyntheticSpec spec = test::must(SyntheticSpec::make("micro"));
  spec.config.experts = 1024;
  const test::TemporaryFolder folder;
  EngineOptions options;
  options.context = options.prefill_rows = 256;
  const auto engine = test::open_engine(folder, spec, options);
  BOOST_TEST(engine->memory().workspace > 256ULL * 1024 * sizeof(double));
  BOOST_TEST(engine->memory().workspace <= engine->memory_plan().workspace + 64 * 1024);
}

BOOST_AUTO_TEST_CASE(a_context_beyond_every_position_is_refused) {
  const test::HeaderModel tiny("tiny");
  MemoryPlanInputs inputs;
  for (const std::uint32_t context : {0U, kMostContext + 1, 2147483647U}) {
    inputs.context = context;
    const auto planner = MemoryPlanner::make(*tiny.file, inputs, PlanQuestions{});
    BOOST_TEST_REQUIRE(!planner.ok());
    BOOST_TEST((planner.error().code == Errc::invalid_argument));
  }
  inputs.context = kMostContext;
  BOOST_TEST(planner_of(*tiny.file, inputs).plan().ok());
}

BOOST_AUTO_TEST_CASE(sizes_are_written_for_people) {
  BOOST_TEST(memory_text(312) == "312 bytes");
  BOOST_TEST(memory_text(5 * kMiB + kMiB / 4) == "5.25 MiB");
  BOOST_TEST(memory_text(300 * kMiB) == "300.0 MiB");
  BOOST_TEST(memory_text(1536 * kMiB) == "1.50 GiB");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4
