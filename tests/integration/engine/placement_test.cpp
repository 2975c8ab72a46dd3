// One model on several devices: the same bits as on one.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>

#include "engine/memory_planner.hpp"
#include "tests/integration/engine/history.hpp"

namespace ds4::test {

std::ostream& operator<<(std::ostream& out, const MicroPlacement& placement) {
  return out << placement.what;
}

namespace {

namespace data = boost::unit_test::data;

struct Fixture {
  Fixture() : path(folder.path() / "micro.gguf") {
    must(write_synthetic_model(path, must(SyntheticSpec::make("micro"))));
  }
  [[nodiscard]] ModelFile model() const { return must(ModelFile::open(path)); }
  [[nodiscard]] std::unique_ptr<Engine> plain(const EngineOptions& with = micro_options()) const {
    return engine_over(path, with);
  }
  [[nodiscard]] std::unique_ptr<Engine> placed(const MicroPlacement& placement,
                                               const EngineOptions& with = micro_options()) const {
    return placed_engine_over(path, with, placement);
  }
  TemporaryFolder folder;
  std::filesystem::path path;
};

/// Greedy tokens after a prompt, in three sessions side by side, each the argmax of the step before
/// by its number there; the first prefills in between.
std::vector<float> side_by_side(Engine& engine) {
  std::vector<float> out;
  std::vector<SessionId> sessions;
  std::vector<StepRow> rows;
  for (std::size_t s = 0; s < 3; ++s) {
    sessions.push_back(must(engine.create_session()));
    all_logits(engine, sessions[s], random_tokens(70 + s, 100 + 30 * s, kMicroVocab), 64);
    rows.push_back({sessions[s], 5, true});
  }
  for (std::uint32_t i = 0; i < 60; ++i) {
    const StepOutput output =
        must(engine.step({.decode = rows, .prefill = {}, .read_logits = true, .forced = {}}));
    out.insert(out.end(), output.logits.begin(), output.logits.end());
    for (std::uint32_t s = 0; s < 3; ++s) rows[s].token = -1 - static_cast<std::int32_t>(s);
  }
  std::vector<StepRow> segment;
  for (const std::int32_t token : random_tokens(80, 33, kMicroVocab)) {
    segment.push_back({sessions[0], token, false});
  }
  // Nobody wants logits here; then everybody does.
  must(engine.step({.decode = {}, .prefill = segment, .read_logits = true, .forced = {}}));
  segment.assign(1, {sessions[0], 9, true});
  for (std::size_t s = 0; s < 2; ++s) rows[s] = {sessions[s + 1], 11, true};
  rows.resize(2);
  const StepOutput output =
      must(engine.step({.decode = rows, .prefill = segment, .read_logits = true, .forced = {}}));
  out.insert(out.end(), output.logits.begin(), output.logits.end());
  for (const SessionId session : sessions) {
    for (const std::int32_t token : engine.tokens(session))
      out.push_back(static_cast<float>(token));
  }
  return out;
}

std::vector<LayerChoices> owned(std::span<const LayerChoices> choices) {
  return {choices.begin(), choices.end()};
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(placed_engine, Fixture)

BOOST_DATA_TEST_CASE(logits_are_those_of_one_device, data::make(kMicroPlacements), placement) {
  const Tokens tokens = random_tokens(61, 300, kMicroVocab);
  const auto one = plain();
  const std::vector<float> expected = all_logits(*one, must(one->create_session()), tokens, 64);
  for (const std::uint32_t chunk : {64U, 17U, 1U}) {
    const auto engine = placed(placement);
    const SessionId session = must(engine->create_session());
    BOOST_TEST((all_logits(*engine, session, tokens, chunk) == expected));
  }
  const auto again = plain();
  const auto engine = placed(placement);
  BOOST_TEST((side_by_side(*engine) == side_by_side(*again)));
}

BOOST_DATA_TEST_CASE(choices_are_read_and_forced_on_every_device, data::make(kMicroPlacements),
                     placement) {
  EngineOptions recorded = micro_options();
  recorded.selections = Selections::recorded;
  EngineOptions forced = micro_options();
  forced.selections = Selections::forced;
  std::vector<StepRow> rows;
  for (const std::int32_t token : random_tokens(62, 50, kMicroVocab))
    rows.push_back({0, token, true});
  const auto one = plain(recorded);
  must(one->create_session());
  const StepOutput expected =
      must(one->step({.decode = {}, .prefill = rows, .read_logits = true, .forced = {}}));
  const auto engine = placed(placement, recorded);
  must(engine->create_session());
  const StepOutput found =
      must(engine->step({.decode = {}, .prefill = rows, .read_logits = true, .forced = {}}));
  BOOST_TEST_REQUIRE(found.choices.size() == expected.choices.size());
  for (std::size_t layer = 0; layer < found.choices.size(); ++layer) {
    BOOST_TEST(!found.choices[layer].experts.empty());
    BOOST_TEST((found.choices[layer].experts == expected.choices[layer].experts));
    BOOST_TEST((found.choices[layer].index == expected.choices[layer].index));
  }
  // Forced to what is not the model's choice: one device and several go the same other way.
  std::vector<LayerChoices> other = owned(expected.choices);
  for (LayerChoices& choices : other) {
    for (std::size_t i = 0; i < choices.experts.size(); ++i) {
      choices.experts[i] = static_cast<std::int32_t>(i % 2);
    }
  }
  const auto forced_one = plain(forced);
  const auto forced_engine = placed(placement, forced);
  must(forced_one->create_session());
  must(forced_engine->create_session());
  const StepRequest request{.decode = {}, .prefill = rows, .read_logits = true, .forced = other};
  const StepOutput wanted = must(forced_one->step(request));
  const StepOutput got = must(forced_engine->step(request));
  BOOST_TEST(std::equal(wanted.logits.begin(), wanted.logits.end(), got.logits.begin()));
  BOOST_TEST(!std::equal(wanted.logits.begin(), wanted.logits.end(), found.logits.begin()));
}

BOOST_AUTO_TEST_CASE(a_saved_session_moves_between_placements) {
  const Tokens tokens = random_tokens(63, 500, kMicroVocab);
  const auto one = plain();
  const std::vector<float> expected = all_logits(*one, must(one->create_session()), tokens, 64);
  const auto half = plain();
  const SessionId session = must(half->create_session());
  all_logits(*half, session, {tokens.begin(), tokens.begin() + 397}, 64);
  const std::vector<std::byte> saved =
      snapshot_of(*half, session, SnapshotContent::with_restore_points);
  std::vector<std::byte> moving = saved;
  for (const MicroPlacement& placement : kMicroPlacements) {
    BOOST_TEST_CONTEXT(placement.what) {
      const auto engine = placed(placement);
      must(engine->create_session());
      const SessionId here = must(engine->create_session());
      all_logits(*engine, here, random_tokens(64, 90, kMicroVocab), 64);
      must(engine->restore(here, moving, "memory"));
      moving = snapshot_of(*engine, here, SnapshotContent::with_restore_points);
      BOOST_TEST((moving == saved));
      const std::vector<float> rest =
          all_logits(*engine, here, {tokens.begin() + 397, tokens.end()}, 20);
      BOOST_TEST(std::equal(rest.begin(), rest.end(), expected.begin() + 397L * kMicroVocab));
      // And back to a state that came with it.
      BOOST_TEST(must(engine->rewind(here, 330)) == 319U);
      const std::vector<float> again =
          all_logits(*engine, here, {tokens.begin() + 319, tokens.end()}, 31);
      BOOST_TEST(std::equal(again.begin(), again.end(), expected.begin() + 319L * kMicroVocab));
    }
  }
}

BOOST_DATA_TEST_CASE(each_device_takes_what_was_planned_for_its_share, data::make(kMicroPlacements),
                     placement) {
  for (const Selections selections : {Selections::internal, Selections::recorded}) {
    EngineOptions with = micro_options();
    with.selections = selections;
    const auto engine = placed(placement, with);
    const auto one = plain(with);
    const MemoryPlan& plan = engine->memory_plan();
    MemoryReport sum;
    for (std::size_t d = 0; d < plan.devices.size(); ++d) {
      const DeviceMemory& planned = plan.devices[d];
      const auto stages = engine->stages();
      const auto stage = std::find_if(stages.begin(), stages.end(), [&](const StageReport& report) {
        return placement.on[report.span.embeds ? 0 : report.span.first_layer + 1] == d;
      });
      BOOST_TEST_REQUIRE((stage != stages.end()));
      const MemoryReport& taken = stage->memory;
      BOOST_TEST(planned.weights.in_place == taken.weights_in_place);
      BOOST_TEST(planned.weights.on_device() == taken.weights);
      BOOST_TEST(planned.rings == taken.rings);
      BOOST_TEST(planned.restore_points == taken.restore_points);
      BOOST_TEST(planned.page_pool() == taken.pages);
      BOOST_TEST(planned.activations == taken.activations);
      BOOST_TEST(planned.step == taken.step);
      BOOST_TEST(planned.workspace <= taken.workspace);
      BOOST_TEST(taken.workspace <= planned.workspace + 64 * 1024);
      sum += taken;
    }
    BOOST_TEST(sum.activations == engine->memory().activations);
    // Weights and rows lie on one device each; nothing is there twice.
    BOOST_TEST(sum.weights_in_place == one->memory().weights_in_place);
    BOOST_TEST(sum.weights == one->memory().weights);
    BOOST_TEST(sum.rings == one->memory().rings);
    BOOST_TEST(sum.restore_points == one->memory().restore_points);
    BOOST_TEST(sum.pages == one->memory().pages);
    BOOST_TEST(plan.weights.tensors == one->memory_plan().weights.tensors);
    BOOST_TEST(plan.streams == (8U + 64U) * 4 * 64 * sizeof(float));
    BOOST_TEST(one->memory_plan().streams == 0U);
  }
}

BOOST_AUTO_TEST_CASE(a_placement_has_to_fit_model_and_devices) {
  const auto refusal = [this](const auto& change) {
    EngineDevices devices = devices_of(kMicroPlacements[0]);
    change(devices);
    const auto engine = Engine::open(model(), devices, micro_options());
    return engine.ok() ? "accepted" : engine.error().what;
  };
  BOOST_TEST(refusal([](EngineDevices& d) { d.placement.layers.pop_back(); }) ==
             "the placement is for 3 layers, the model has 4");
  BOOST_TEST(refusal([](EngineDevices& d) { d.placement.head = 2; }) ==
             "the placement names device 2 of 2");
  BOOST_TEST(refusal([](EngineDevices& d) { d.devices.push_back(d.devices[0]); }) ==
             "the placement has nothing for device 2");
}

BOOST_AUTO_TEST_CASE(memory_of_devices_is_bound_where_it_lies) {
  const ModelFile file = model();
  PlacedQuestions questions;
  questions.placement = devices_of(kMicroPlacements[0]).placement;
  questions.devices.resize(2);
  questions.devices[0].device = "card";
  questions.devices[0].shares_host_memory = false;
  questions.devices[1].device = "cpu";
  const auto planner =
      must(MemoryPlanner::make(file, MemoryPlanInputs::of(micro_options()), questions));
  const MemoryPlan plan = must(planner.plan());
  BOOST_TEST(plan.device_bytes() == plan.devices[0].bytes());
  BOOST_TEST(plan.host_bytes() == plan.weights.in_place + plan.devices[1].bytes() + plan.staging +
                                      plan.streams + plan.host_logits + plan.program);
  MemoryLimits limits;
  limits.host.bounds = {{"MemAvailable", 1ULL << 40, 1ULL << 40}};
  // Not a list of braces: g++ 12 at -O3 takes its strings for uninitialised.
  MemoryLimits::Device& card = limits.devices.emplace_back();
  card.bound = {"free on card", 1ULL << 40, 1ULL << 40};
  card.of = {0};
  BOOST_TEST(planner.fitting_plan(limits).ok());
  const std::uint64_t need = plan.devices[0].bytes();
  card.bound.available = need + plan_headroom(need) - 1;
  const auto refused = planner.fitting_plan(limits);
  BOOST_TEST_REQUIRE(!refused.ok());
  BOOST_TEST(refused.error().what.find("embedding, layers 0-1 on card needs ") == 0U,
             refused.error().what);
  BOOST_TEST(refused.error().what.find("(free on card); the largest context that fits is ") !=
                 std::string::npos,
             refused.error().what);
  // Two entries of one card: their sum counts.
  questions.devices[1].shares_host_memory = false;
  const auto shared =
      must(MemoryPlanner::make(file, MemoryPlanInputs::of(micro_options()), questions));
  const MemoryPlan both = must(shared.plan());
  const std::uint64_t sum = both.devices[0].bytes() + both.devices[1].bytes();
  card.bound = {"free on card", sum, sum + plan_headroom(sum)};
  card.of = {0, 1};
  BOOST_TEST(fits(both, limits));
  --card.bound.available;
  BOOST_TEST(!fits(both, limits));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::test
