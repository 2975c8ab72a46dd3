// A device that reports a failed copy when it is waited for, as an asynchronous one does.
#include <boost/test/unit_test.hpp>

#include "tests/integration/engine/history.hpp"

namespace ds4::test {
namespace {

const ds4_backend_api* original = nullptr;
bool loses_copies = false;    // what is copied does not arrive
bool refuses_copies = false;  // a copy fails at once
bool owes_error = false;      // and the next wait says so, once

ds4_status lose_copy(ds4_stream* stream, ds4_buffer* to, std::uint64_t to_offset,
                     const ds4_buffer* from, std::uint64_t from_offset, std::uint64_t bytes,
                     ds4_error* error) {
  if (refuses_copies) return DS4_E_INTERNAL;
  if (!loses_copies) {
    return original->buffer_copy(stream, to, to_offset, from, from_offset, bytes, error);
  }
  owes_error = true;
  return DS4_OK;
}

ds4_status sync_late(ds4_stream* stream, ds4_error* error) {
  const ds4_status status = original->stream_sync(stream, error);
  if (!owes_error) return status;
  owes_error = false;
  return DS4_E_INTERNAL;
}

std::unique_ptr<Engine> late_engine(const TemporaryFolder& folder) {
  auto device = open_changed_device("cpu-reference", [](ds4_backend_api& table) {
    static const ds4_backend_api copy = table;
    original = &copy;
    table.buffer_copy = lose_copy;
    table.stream_sync = sync_late;
  });
  return must(Engine::open(make_model(folder, must(SyntheticSpec::make("micro"))), device,
                           micro_options()));
}

std::vector<float> evaluate_from(Engine& engine, SessionId session, const Tokens& tokens) {
  const Tokens rest(tokens.begin() + engine.position(session), tokens.end());
  return all_logits(engine, session, rest, 64);
}

struct Fixture {
  /// Of an engine of its own: pages keep what they held, and a lost copy could look right.
  [[nodiscard]] std::vector<float> expected() const {
    const TemporaryFolder other;
    const auto plain = late_engine(other);
    return all_logits(*plain, must(plain->create_session()), tokens, 64);
  }
  ~Fixture() { loses_copies = refuses_copies = owes_error = false; }
  TemporaryFolder folder;
  std::unique_ptr<Engine> engine = late_engine(folder);
  Tokens tokens = random_tokens(77, 400, kMicroVocab);
  SessionId session = must(engine->create_session());
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(late_failures, Fixture)

BOOST_AUTO_TEST_CASE(a_restore_point_whose_copy_failed_is_forgotten) {
  const std::vector<float> all = expected();
  const Tokens head(tokens.begin(), tokens.begin() + 200);
  all_logits(*engine, session, head, 64);
  loses_copies = true;
  BOOST_TEST(must(engine->keep_restore_point(session, 200)));
  loses_copies = false;

  const StepRow row{session, tokens[200], true};
  const StepRequest request{.decode = {&row, 1}, .prefill = {}, .read_logits = true, .forced = {}};
  BOOST_TEST(!engine->step(request));  // only here it shows
  BOOST_TEST(engine->restore_points(session).empty());

  // Far enough that 200 can only be reached through a restore point, or from the beginning.
  evaluate_from(*engine, session, tokens);
  const std::uint32_t reached = must(engine->rewind(session, 200));
  const std::vector<float> again = evaluate_from(*engine, session, tokens);
  const std::size_t skipped = std::size_t{reached} * kMicroVocab;
  BOOST_TEST_REQUIRE(again.size() == all.size() - skipped);
  BOOST_TEST(std::equal(again.begin(), again.end(), all.begin() + std::ptrdiff_t(skipped)));
}

BOOST_AUTO_TEST_CASE(a_restore_point_whose_copy_went_well_survives_a_later_failure) {
  all_logits(*engine, session, Tokens(tokens.begin(), tokens.begin() + 200), 64);
  BOOST_TEST(must(engine->keep_restore_point(session, 200)));
  const StepRow row{session, tokens[200], true};
  const StepRequest request{.decode = {&row, 1}, .prefill = {}, .read_logits = true, .forced = {}};
  BOOST_TEST(engine->step(request).ok());
  owes_error = true;
  const StepRow next{session, tokens[201], true};
  BOOST_TEST(
      !engine->step({.decode = {&next, 1}, .prefill = {}, .read_logits = true, .forced = {}}));
  BOOST_TEST(engine->restore_points(session) == std::vector<std::uint32_t>{200},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_page_whose_copy_failed_is_not_gone_on_with) {
  const std::vector<float> all = expected();
  all_logits(*engine, session, Tokens(tokens.begin(), tokens.begin() + 200), 64);
  BOOST_TEST(must(engine->keep_restore_point(session, 200)));
  const StepRow row{session, tokens[200], true};
  must(engine->step({.decode = {&row, 1}, .prefill = {}, .read_logits = true, .forced = {}}));

  // Rows 50 and 51 of ratio 4 go to a page that the point shares: it is copied first.
  std::vector<StepRow> rows;
  for (std::uint32_t i = 201; i < 209; ++i) rows.push_back({session, tokens[i], true});
  const StepRequest request{.decode = {}, .prefill = rows, .read_logits = true, .forced = {}};
  loses_copies = true;
  BOOST_TEST(!engine->step(request));
  loses_copies = false;
  BOOST_TEST(engine->position(session) == 201U);
  const std::vector<float> again = evaluate_from(*engine, session, tokens);
  const std::size_t skipped = std::size_t{201} * kMicroVocab;
  BOOST_TEST_REQUIRE(again.size() == all.size() - skipped);
  BOOST_TEST(std::equal(again.begin(), again.end(), all.begin() + std::ptrdiff_t(skipped)));
}

BOOST_AUTO_TEST_CASE(pages_come_back_although_the_point_that_shared_them_goes) {
  const std::vector<float> all = expected();
  all_logits(*engine, session, Tokens(tokens.begin(), tokens.begin() + 200), 64);
  BOOST_TEST(must(engine->keep_restore_point(session, 200)));  // not known to be good yet
  std::vector<StepRow> rows;
  for (std::uint32_t i = 200; i < 208; ++i) rows.push_back({session, tokens[i], true});
  const StepRequest request{.decode = {}, .prefill = rows, .read_logits = true, .forced = {}};
  refuses_copies = true;
  owes_error = true;
  BOOST_TEST(!engine->step(request));
  refuses_copies = false;
  BOOST_TEST(engine->position(session) == 200U);
  BOOST_TEST(engine->restore_points(session).empty());
  const std::vector<float> again = evaluate_from(*engine, session, tokens);
  const std::size_t skipped = std::size_t{200} * kMicroVocab;
  BOOST_TEST_REQUIRE(again.size() == all.size() - skipped);
  BOOST_TEST(std::equal(again.begin(), again.end(), all.begin() + std::ptrdiff_t(skipped)));
}

BOOST_AUTO_TEST_CASE(a_fork_that_fails_takes_the_points_with_it_that_may_be_wrong) {
  all_logits(*engine, session, Tokens(tokens.begin(), tokens.begin() + 100), 64);
  loses_copies = true;
  BOOST_TEST(must(engine->keep_restore_point(session, 100)));
  BOOST_TEST(!engine->fork(session));
  loses_copies = false;
  BOOST_TEST(engine->restore_points(session).empty());
  BOOST_TEST(must(engine->fork(session)) != session);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::test
