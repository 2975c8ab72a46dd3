#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "tests/validate/shadow_engines.hpp"

namespace ds4::test {
namespace {

struct Fault {
  const char* name;
  bool composes;
  const char* shape;
  const char* op;  ///< the one whose result is wrong
  std::uint32_t layer;
  const char* output;
};
std::ostream& operator<<(std::ostream& out, const Fault& fault) {
  return out << fault.name << (fault.composes ? " composed" : "");
}

// Micro has layers of ratio 0, 4 and 128; what only layers with an indexer do is wrong there first.
constexpr Fault kFaults[] = {
    {"transpose", false, "micro", "hc_post", 0, "y"},
    {"ring_off_by_one", false, "micro", "kv_commit", 0, "ring"},
    {"no_inverse_rope", false, "micro", "attn_prefill_window", 0, "y"},
    {"no_inverse_rope", true, "micro", "rope_tail", 0, "y"},
    {"drops_sinks", false, "micro", "attn_prefill_window", 0, "y"},
    {"unstable_topk", false, "micro", "index_topk", 1, "ids"},
    {"unstable_topk", true, "micro", "topk", 1, "ids"},
    {"writes_past_end", true, "micro", "scale_add", 1, "y"},
    {"modifies_input", true, "micro", "matmul", 0, "input"},
    {"nibble_order", false, "tiny-mxfp4", "moe_routed", 0, "y"},
    {"nibble_order", true, "tiny-mxfp4", "grouped_matmul", 0, "y"},
};

/// Sixty tokens in one step, then single ones: the first finding.
std::vector<ShadowFinding> findings_of(const Fault& fault, const TemporaryFolder& folder) {
  std::vector<ShadowFinding> found;
  EngineOptions chosen = options();
  chosen.shadow.on_finding = [&found](const ShadowFinding& finding) {
    found.push_back(finding);
    return false;
  };
  const auto engine = shadowed(make_model(folder, must(SyntheticSpec::make(fault.shape))),
                               faulty(fault.name, fault.composes), chosen);
  const SessionId session = must(engine->create_session());
  const std::vector<std::int32_t> tokens = random_tokens(11, 70, engine->config().vocab);
  std::vector<StepRow> rows;
  for (std::size_t i = 0; i < 60; ++i) rows.push_back({session, tokens[i], i + 1 == 60});
  auto done = engine->step({.decode = {}, .prefill = rows, .read_logits = true, .forced = {}});
  for (std::size_t i = 60; done && i < tokens.size(); ++i) {
    done = decode(*engine, {{session, tokens[i], true}});
  }
  if (!done) {
    BOOST_TEST_MESSAGE(done.error().what);
    BOOST_TEST(!found.empty());
    if (!found.empty()) BOOST_TEST(done.error().what == found.back().text);
  }
  return found;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(shadow_faults)

BOOST_DATA_TEST_CASE(a_fault_is_reported_for_the_op_and_layer_where_it_is_made,
                     boost::unit_test::data::make(kFaults), fault) {
  const TemporaryFolder folder;
  const std::vector<ShadowFinding> found = findings_of(fault, folder);
  BOOST_REQUIRE_EQUAL(found.size(), 1U);
  BOOST_TEST(found[0].op == fault.op);
  BOOST_TEST(found[0].layer == fault.layer);
  BOOST_TEST(found[0].output == fault.output);
  BOOST_TEST(found[0].step == 0U);
}

BOOST_AUTO_TEST_CASE(rows_behind_those_of_the_step_are_looked_at) {
  // What they are before is what the memory held, so that either of the first two ops may show it.
  const TemporaryFolder folder;
  const std::vector<ShadowFinding> found =
      findings_of({"padding_rows", false, "micro", "", 0, ""}, folder);
  BOOST_REQUIRE_EQUAL(found.size(), 1U);
  BOOST_TEST((found[0].op == "resolve_tokens" || found[0].op == "embed_streams"), found[0].op);
  BOOST_TEST(found[0].layer == 0U);
  BOOST_TEST(found[0].row >= 60U);
  BOOST_TEST(!found[0].session.has_value());
}

BOOST_AUTO_TEST_CASE(a_write_outside_of_every_output_shows_at_the_end_of_the_step) {
  const TemporaryFolder folder;
  const std::vector<ShadowFinding> found =
      findings_of({"strays", false, "micro", "", 0, ""}, folder);
  BOOST_REQUIRE_EQUAL(found.size(), 1U);
  BOOST_TEST(found[0].op == "");
  BOOST_TEST(found[0].output == "rings");
  BOOST_TEST(found[0].text.find("shadow cpu-reference: step 0: some op has written outside its "
                                "outputs, at byte ") == 0U,
             found[0].text);
}

BOOST_AUTO_TEST_CASE(other_experts_are_legal_by_a_near_tie_only) {
  const TemporaryFolder folder, other;
  const auto engine = shadowed(micro(folder), faulty("coarse_router", false), options());
  // Scores in steps of 1/64: ties go to the lower id, by margins below the limit of 0.05.
  all_logits(*engine, must(engine->create_session()), random_tokens(15, 200, 512), 50);
  const ShadowReport report = *engine->shadow_report();
  BOOST_TEST(report.findings == 0U);
  BOOST_TEST(report.other_choices > 0U);
  const auto choice = std::find_if(report.outputs.begin(), report.outputs.end(),
                                   [](const auto& out) { return out.output == "route.ids"; });
  BOOST_REQUIRE(choice != report.outputs.end());
  BOOST_TEST(choice->error > 0);
  BOOST_TEST(choice->error <= 1.0 / 64);
  BOOST_TEST(choice->is_reduced);

  // The first ids whatever the scores: layer 0 takes its experts from a table.
  const std::vector<ShadowFinding> found =
      findings_of({"blind_router", false, "micro", "", 0, ""}, other);
  BOOST_REQUIRE_EQUAL(found.size(), 1U);
  BOOST_TEST(found[0].op == "route");
  BOOST_TEST(found[0].output == "ids");
  BOOST_TEST(found[0].layer == 1U);
  BOOST_TEST(found[0].error > found[0].limit);
  BOOST_TEST(found[0].text.find("another choice of experts, by a margin of ") != std::string::npos,
             found[0].text);
}

BOOST_AUTO_TEST_CASE(another_order_of_a_sum_is_no_fault) {
  for (const char* name : {"unordered_sum", "row_dependence"}) {
    const TemporaryFolder folder;
    BOOST_TEST(findings_of({name, true, "micro", "", 0, ""}, folder).empty(), name);
  }
}

BOOST_AUTO_TEST_CASE(a_finding_fails_the_step_and_leaves_the_session_where_it_was) {
  const TemporaryFolder folder;
  const auto engine = shadowed(micro(folder), faulty("transpose", false), options());
  const SessionId session = must(engine->create_session());
  const auto failed = decode(*engine, {{session, 7, true}});
  BOOST_REQUIRE(!failed);
  BOOST_TEST((failed.error().code == Errc::internal));
  const std::string text = failed.error().what;
  BOOST_TEST(
      text.find("shadow cpu-reference: step 0, session 0, position 0, layer 0: hc_post (f32) "
                "y row 0 value ") == 0U,
      text);
  BOOST_TEST(text.find(", limit 1.0e-04; to repeat: ds4-validate --backend ") != std::string::npos,
             text);
  BOOST_TEST(
      text.find("libds4-backend-faulty.so --op hc_post, or ds4-validate ") != std::string::npos,
      text);
  BOOST_TEST(text.find('\n') == std::string::npos);
  BOOST_TEST(engine->position(session) == 0U);
  BOOST_TEST(engine->shadow_report()->findings == 1U);
}

BOOST_AUTO_TEST_CASE(a_caller_that_goes_on_gets_every_finding_and_the_engine_s_own_result) {
  const TemporaryFolder folder, other;
  const std::vector<std::int32_t> tokens = random_tokens(12, 20, 512);
  const auto plain = must(Engine::open(micro(other), faulty("transpose", false), options()));
  const std::vector<float> wanted = all_logits(*plain, must(plain->create_session()), tokens, 20);

  std::vector<ShadowFinding> found;
  EngineOptions chosen = options();
  chosen.shadow.on_finding = [&found](const ShadowFinding& finding) {
    found.push_back(finding);
    return true;
  };
  const auto engine = shadowed(micro(folder), faulty("transpose", false), chosen);
  const SessionId session = must(engine->create_session());
  BOOST_TEST((all_logits(*engine, session, tokens, 20) == wanted));
  // In every layer, and in no other op: each gets the engine's input, so that no error goes on.
  std::set<std::uint32_t> layers;
  for (const ShadowFinding& finding : found) {
    BOOST_TEST(finding.op == "hc_post");
    layers.insert(finding.layer);
    BOOST_TEST(finding.session.value() == session);
    BOOST_TEST(finding.position.value() == finding.row);
    BOOST_TEST(finding.error > finding.limit);
  }
  BOOST_TEST((layers == std::set<std::uint32_t>{0, 1, 2, 3}));
  BOOST_TEST(engine->shadow_report()->findings == found.size());
}

BOOST_AUTO_TEST_CASE(a_row_of_a_step_belongs_to_its_session) {
  std::vector<ShadowFinding> found;
  const TemporaryFolder folder;
  EngineOptions chosen = options();
  chosen.shadow.on_finding = [&found](const ShadowFinding& finding) {
    found.push_back(finding);
    return true;
  };
  const auto engine = shadowed(micro(folder), faulty("drops_sinks", false), chosen);
  const SessionId first = must(engine->create_session());
  const SessionId second = must(engine->create_session());
  all_logits(*engine, first, random_tokens(13, 10, 512), 64);
  all_logits(*engine, second, random_tokens(14, 23, 512), 64);
  found.clear();
  must(decode(*engine, {{first, 3, true}, {second, 4, true}}));
  BOOST_REQUIRE(!found.empty());
  for (const ShadowFinding& finding : found) {
    BOOST_REQUIRE(finding.session.has_value());
    BOOST_TEST(finding.position.value() == (*finding.session == first ? 10U : 23U));
    BOOST_TEST(finding.row == (*finding.session == first ? 0U : 1U));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::test
