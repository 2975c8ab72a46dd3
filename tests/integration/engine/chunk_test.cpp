#include <boost/test/unit_test.hpp>

#include "engine/sync.hpp"
#include "tests/support/runtime.hpp"

namespace ds4::test {
namespace {

EngineOptions options() {
  EngineOptions out;
  out.context = 512;
  out.prefill_rows = 400;
  out.logits_rows = 400;
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(chunks)

BOOST_AUTO_TEST_CASE(prefill_in_any_chunking_gives_the_same_logits_bit_for_bit) {
  const TemporaryFolder folder;
  const auto engine = open_engine(folder, must(SyntheticSpec::make("micro")), options(), 2);
  const std::vector<std::int32_t> tokens = random_tokens(3, 300, 512);
  SessionId session = must(engine->create_session());
  const std::vector<float> at_once = all_logits(*engine, session, tokens, 400);
  for (const std::uint32_t chunk : {1U, 2U, 3U, 5U, 64U, 127U, 128U, 129U}) {
    engine->close_session(session);
    session = must(engine->create_session());
    BOOST_TEST_CONTEXT("chunks of " << chunk) {
      BOOST_TEST((all_logits(*engine, session, tokens, chunk) == at_once));
    }
  }
}

BOOST_AUTO_TEST_CASE(rewind_within_sixteen_tokens_evaluates_nothing_and_leaves_no_trace) {
  const TemporaryFolder folder;
  const auto engine = open_engine(folder, must(SyntheticSpec::make("micro")), options());
  const std::vector<std::int32_t> tokens = random_tokens(4, 300, 512);
  const SessionId plain = must(engine->create_session());
  const std::vector<float> expected = all_logits(*engine, plain, tokens, 400);
  engine->close_session(plain);

  const SessionId session = must(engine->create_session());
  std::vector<std::int32_t> wrong(tokens.begin(), tokens.begin() + 261);
  const std::vector<std::int32_t> other = random_tokens(5, 10, 512);
  wrong.insert(wrong.end(), other.begin(), other.end());
  all_logits(*engine, session, wrong, 37);
  BOOST_TEST(must(engine->rewind(session, 255)) == 255U);
  const std::vector<float> again =
      all_logits(*engine, session, {tokens.begin() + 255, tokens.end()}, 11);
  BOOST_TEST(std::equal(again.begin(), again.end(), expected.begin() + 255L * 512));
}

BOOST_AUTO_TEST_CASE(rewind_further_back_says_from_where_to_evaluate_again) {
  const TemporaryFolder folder;
  const auto engine = open_engine(folder, must(SyntheticSpec::make("micro")), options());
  const std::vector<std::int32_t> tokens = random_tokens(6, 200, 512);
  const SessionId session = must(engine->create_session());
  const std::vector<float> expected = all_logits(*engine, session, tokens, 400);
  BOOST_TEST(must(engine->rewind(session, 184)) == 184U);
  BOOST_TEST(must(engine->rewind(session, 183)) == 0U);
  BOOST_TEST(engine->position(session) == 0U);
  BOOST_TEST((all_logits(*engine, session, tokens, 9) == expected));
  BOOST_TEST(!engine->rewind(session, 201));
}

BOOST_AUTO_TEST_CASE(sync_far_back_evaluates_from_the_restore_point_and_counts_it) {
  const TemporaryFolder folder;
  const auto engine = open_engine(folder, must(SyntheticSpec::make("micro")), options());
  std::vector<std::int32_t> tokens = random_tokens(6, 200, 512);
  const SessionId session = must(engine->create_session());
  must(sync(*engine, session, tokens));
  tokens.resize(100);
  const SyncReport report = must(sync(*engine, session, tokens));
  BOOST_TEST(report.cached == 0U);
  BOOST_TEST(report.evaluated == 100U);
  BOOST_TEST(engine->position(session) == 100U);
}

BOOST_AUTO_TEST_CASE(sync_keeps_the_common_prefix_and_evaluates_the_rest) {
  const TemporaryFolder folder;
  const auto engine = open_engine(folder, must(SyntheticSpec::make("micro")), options());
  const SessionId session = must(engine->create_session());
  std::vector<std::int32_t> tokens = random_tokens(8, 120, 512);
  const SyncReport first = must(sync(*engine, session, tokens));
  BOOST_TEST(first.cached == 0U);
  BOOST_TEST(first.evaluated == 120U);

  tokens.push_back(5);
  const SyncReport extended = must(sync(*engine, session, tokens));
  BOOST_TEST(extended.cached == 120U);
  BOOST_TEST(extended.evaluated == 1U);

  tokens.resize(115);
  tokens.push_back(6);
  const SyncReport changed = must(sync(*engine, session, tokens));
  BOOST_TEST(changed.cached == 115U);
  BOOST_TEST(changed.evaluated == 1U);

  const SessionId fresh = [&] {
    engine->close_session(session);
    return must(engine->create_session());
  }();
  BOOST_TEST((must(sync(*engine, fresh, tokens)).logits == changed.logits));
  BOOST_TEST(!sync(*engine, fresh, std::vector<std::int32_t>{}));
  BOOST_TEST(!sync(*engine, fresh, random_tokens(9, 513, 512)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::test
