#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tests/validate/shadow_engines.hpp"

namespace ds4::test {

BOOST_AUTO_TEST_SUITE(shadow)

BOOST_AUTO_TEST_CASE(what_the_shadow_does_not_have_is_said_once_and_what_follows_is_compared) {
  const TemporaryFolder folder;
  std::vector<std::string> warnings;
  EngineOptions chosen = options();
  chosen.log = [&warnings](LogLevel level, std::string_view, std::string_view text) {
    if (level == LogLevel::warning) warnings.emplace_back(text);
  };
  auto shadow = faulty("lacks_page_rows", false);
  const auto engine = shadowed(micro(folder), reference(), chosen, shadow);
  all_logits(*engine, must(engine->create_session()), random_tokens(16, 60, 512), 20);
  const ShadowReport report = *engine->shadow_report();
  BOOST_TEST(report.findings == 0U);
  BOOST_REQUIRE_EQUAL(report.not_compared.size(), 1U);
  BOOST_TEST(report.not_compared[0] == "page_rows (planted)");
  BOOST_REQUIRE_EQUAL(warnings.size(), 1U);
  BOOST_TEST(warnings[0] == "faulty does not have page_rows (planted): not compared");
  const auto names = [&report](const char* name) {
    return std::any_of(report.outputs.begin(), report.outputs.end(),
                       [name](const auto& output) { return output.output == name; });
  };
  BOOST_TEST(names("attn_indexed.y"));  // reads what page_rows gave
  BOOST_TEST(!names("page_rows.physical"));
}

BOOST_AUTO_TEST_CASE(the_reference_finds_nothing_wrong_with_itself_and_changes_no_result) {
  const TemporaryFolder folder, other;
  EngineOptions chosen = options();
  const auto engine = shadowed(micro(folder), reference(), chosen);
  const auto plain = must(Engine::open(micro(other), reference(), chosen));
  const std::vector<std::int32_t> tokens = random_tokens(3, 300, 512);
  const SessionId a = must(engine->create_session());
  const SessionId b = must(plain->create_session());
  // Across position 128, and the first page of ratio 4 ends at 256.
  BOOST_TEST((all_logits(*engine, a, tokens, 50) == all_logits(*plain, b, tokens, 50)));
  // Back by shortening, back to a restore point, on in a copy.
  BOOST_TEST(must(engine->rewind(a, 290)) == 290U);
  all_logits(*engine, a, random_tokens(4, 5, 512), 1);
  const std::uint32_t reached = must(engine->rewind(a, 200));
  BOOST_TEST(reached <= 200U);
  all_logits(*engine, a, {tokens.begin() + reached, tokens.begin() + 260}, 64);
  const SessionId copy = must(engine->fork(a));
  must(decode(*engine, {{a, 1, true}, {a, 2, false}, {copy, 3, true}}));
  // A decode row of one session beside the prefill of another, ids from the device.
  const SessionId third = must(engine->create_session());
  std::vector<StepRow> prompt;
  for (std::size_t i = 0; i < 33; ++i) prompt.push_back({third, tokens[i], i == 32});
  const std::vector<StepRow> row = {{copy, -2, true}};
  must(engine->step({.decode = row, .prefill = prompt, .read_logits = true, .forced = {}}));

  const ShadowReport report = *engine->shadow_report();
  BOOST_TEST(report.device == "cpu-reference");
  BOOST_TEST(report.findings == 0U);
  BOOST_TEST(report.steps == report.steps_compared);
  BOOST_TEST(report.steps > 10U);
  BOOST_TEST(report.ops >= report.steps * 4 * 12);
  BOOST_TEST(report.not_compared.empty());
  for (const ShadowWorst& output : report.outputs) {
    BOOST_TEST(output.error == 0, output.output << " differs by " << output.error);
  }
  for (const char* name : {"kv_commit.ring", "compress_commit.ring", "compress_emit.pool",
                           "route.ids", "index_topk.ids", "sample_argmax.ids", "head.logits"}) {
    const auto found = std::find_if(report.outputs.begin(), report.outputs.end(),
                                    [name](const auto& output) { return output.output == name; });
    BOOST_TEST((found != report.outputs.end() && found->compared > 0), name);
  }
}

BOOST_AUTO_TEST_CASE(compositions_and_fused_ops_are_compared_either_way) {
  const plugins::BackendOptions composes = {{"cpu-reference.compose", "on"}};
  for (const bool is_shadow : {false, true}) {
    const TemporaryFolder folder;
    const auto engine =
        shadowed(micro(folder), reference(is_shadow ? plugins::BackendOptions{} : composes),
                 options(), reference(is_shadow ? composes : plugins::BackendOptions{}));
    const SessionId session = must(engine->create_session());
    all_logits(*engine, session, random_tokens(5, 140, 512), 60);
    all_logits(*engine, session, random_tokens(6, 6, 512), 1);
    const ShadowReport report = *engine->shadow_report();
    BOOST_TEST(report.findings == 0U);
    BOOST_TEST(report.not_compared.empty());
    const auto names = [&report](const char* name) {
      return std::any_of(report.outputs.begin(), report.outputs.end(),
                         [name](const auto& output) { return output.output == name; });
    };
    BOOST_TEST(names("matmul.y") == !is_shadow);
    BOOST_TEST(names("q_project.q") == is_shadow);
  }
}

BOOST_AUTO_TEST_CASE(choices_that_are_kept_or_given_are_compared_too) {
  std::vector<LayerChoices> choices;
  for (const Selections selections : {Selections::recorded, Selections::forced}) {
    const TemporaryFolder folder;
    EngineOptions chosen = options();
    chosen.selections = selections;
    const auto engine = shadowed(micro(folder), reference(), chosen);
    const SessionId session = must(engine->create_session());
    const std::vector<std::int32_t> tokens = random_tokens(8, 40, 512);
    std::vector<StepRow> rows;
    for (const std::int32_t token : tokens) rows.push_back({session, token, false});
    const StepOutput output =
        must(engine->step({.decode = {}, .prefill = rows, .read_logits = true, .forced = choices}));
    choices.assign(output.choices.begin(), output.choices.end());
    BOOST_TEST(engine->shadow_report()->findings == 0U);
    BOOST_TEST(engine->shadow_report()->ops > 0U);
  }
}

BOOST_AUTO_TEST_CASE(every_nth_step_is_checked_and_the_first_is) {
  const TemporaryFolder folder;
  EngineOptions chosen = options();
  chosen.shadow.every = 3;
  const auto engine = shadowed(micro(folder), reference(), chosen);
  const SessionId session = must(engine->create_session());
  const auto compared = [&] { return engine->shadow_report()->steps_compared; };
  const std::uint64_t wanted[] = {1, 1, 1, 2, 2, 2, 3};
  for (std::size_t i = 0; i < std::size(wanted); ++i) {
    must(decode(*engine, {{session, 5, true}}));
    BOOST_TEST(compared() == wanted[i]);
    BOOST_TEST(engine->shadow_report()->steps == i + 1);
  }
  chosen.shadow.every = 0;
  chosen.shadow.device = reference();
  const TemporaryFolder other;
  const auto refused = Engine::open(micro(other), reference(), chosen);
  BOOST_REQUIRE(!refused);
  BOOST_TEST((refused.error().code == Errc::invalid_argument));
}

BOOST_AUTO_TEST_CASE(what_a_shadow_takes_is_in_the_plan) {
  const TemporaryFolder folder;
  const auto engine = shadowed(micro(folder), reference(), options());
  const MemoryPlan& plan = engine->memory_plan();
  BOOST_REQUIRE(plan.shadow.has_value());
  const ShadowMemory& shadow = *plan.shadow;
  BOOST_TEST(shadow.device == "cpu-reference");
  BOOST_TEST(shadow.mirrors == plan.rings + plan.page_pool() + plan.activations + plan.step);
  BOOST_TEST(shadow.workspace > 0U);
  // Both read the same pages of the file.
  BOOST_TEST(shadow.in_place_shared == plan.weights.in_place);
  BOOST_TEST(shadow.in_place_shared == shadow.weights.in_place);
  MemoryPlan alone = plan;
  alone.shadow.reset();
  BOOST_TEST(plan.host_bytes() == alone.host_bytes() + shadow.host_bytes());

  MemoryLimits limits;
  const std::uint64_t enough = plan.host_bytes() + plan_headroom(plan.host_bytes());
  limits.host.bounds = {{"a test", enough, enough}};
  BOOST_TEST(fits(plan, limits));
  limits.host.bounds[0].available = enough - 1;
  BOOST_TEST(!fits(plan, limits));
  BOOST_TEST(fits(alone, limits));
  const std::string text = shortage(plan, limits);
  BOOST_TEST(text.find(", the shadow on cpu-reference ") != std::string::npos, text);
  BOOST_TEST(text.find("(weights once more 0 bytes, in place 0 bytes)") != std::string::npos, text);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::test
