#include <boost/test/unit_test.hpp>

#include "tests/support/runtime.hpp"

namespace ds4::test {
namespace {

/// A session of the big step: how far it is before, and how many rows it adds.
struct Part {
  std::uint32_t before;
  std::uint32_t rows;
  const char* crosses;
};

// Micro has W = 8, so its ring holds 24 rows; a page of ratio 4 covers 256 tokens.
constexpr Part kParts[] = {
    {127, 1, "decode: finishes row 31 of ratio 4 and row 0 of ratio 128"},
    {255, 1, "decode: finishes the last row of the first page of ratio 4"},
    {259, 1, "decode: finishes the first row of the second page of ratio 4"},
    {238, 3, "verification: position 240 wraps the ring of 24, 239 finishes a row of ratio 4"},
    {126, 5, "prefill: crosses position 128 and a row of ratio 4, wraps pair rings"},
};

EngineOptions options() {
  EngineOptions out;
  out.context = 512;
  out.sessions = std::size(kParts);
  out.decode_rows = 8;
  out.prefill_rows = 64;
  out.logits_rows = 64;
  return out;
}

std::vector<std::int32_t> tokens_of(std::size_t part) {
  return random_tokens(100 + part, kParts[part].before + kParts[part].rows + 1, 512);
}

void prefill(Engine& engine, SessionId session, std::size_t part, std::uint32_t chunk) {
  std::vector<std::int32_t> tokens = tokens_of(part);
  tokens.resize(kParts[part].before);
  all_logits(engine, session, tokens, chunk);
}

/// Logits of the part's rows and of one row after them, evaluated one row at a time with nobody
/// else there.
std::vector<float> alone(const TemporaryFolder& folder, std::size_t part, std::uint32_t threads,
                         const plugins::BackendOptions& backend) {
  const SyntheticSpec spec = must(SyntheticSpec::make("micro"));
  const auto engine = open_engine(folder, spec, options(), threads, backend);
  const SessionId session = must(engine->create_session());
  prefill(*engine, session, part, 7);
  const std::vector<std::int32_t> tokens = tokens_of(part);
  return all_logits(*engine, session, {tokens.begin() + kParts[part].before, tokens.end()}, 1);
}

void check_big_step(std::uint32_t threads, const plugins::BackendOptions& backend) {
  const TemporaryFolder folder;
  const SyntheticSpec spec = must(SyntheticSpec::make("micro"));
  const auto engine = open_engine(folder, spec, options(), threads, backend);
  std::vector<StepRow> decode, segment, after;
  for (std::size_t part = 0; part < std::size(kParts); ++part) {
    const SessionId session = must(engine->create_session());
    prefill(*engine, session, part, 64);
    const std::vector<std::int32_t> tokens = tokens_of(part);
    const Part& shape = kParts[part];
    auto& rows = part + 1 == std::size(kParts) ? segment : decode;
    for (std::uint32_t i = 0; i < shape.rows; ++i) {
      rows.push_back({session, tokens[shape.before + i], true});
    }
    after.push_back({session, tokens[shape.before + shape.rows], true});
  }
  const StepOutput output =
      must(engine->step({.decode = decode, .prefill = segment, .read_logits = true, .forced = {}}));
  BOOST_REQUIRE_EQUAL(output.rows, 11U);
  const std::vector<float> big(output.logits.begin(), output.logits.end());
  const StepOutput next =
      must(engine->step({.decode = after, .prefill = {}, .read_logits = true, .forced = {}}));

  const std::uint32_t vocab = output.vocab;
  std::size_t row = 0;
  for (std::size_t part = 0; part < std::size(kParts); ++part) {
    BOOST_TEST_CONTEXT(kParts[part].crosses) {
      const std::vector<float> expected = alone(folder, part, threads, backend);
      const std::size_t count = std::size_t{kParts[part].rows} * vocab;
      BOOST_TEST(std::equal(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(count),
                            big.begin() + static_cast<std::ptrdiff_t>(row * vocab)));
      BOOST_TEST(std::equal(expected.begin() + static_cast<std::ptrdiff_t>(count), expected.end(),
                            next.row(static_cast<std::uint32_t>(part)).begin()));
      row += kParts[part].rows;
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(step)

BOOST_AUTO_TEST_CASE(rows_of_five_sessions_in_one_step_equal_the_same_rows_alone_bit_for_bit) {
  check_big_step(1, {});
}

BOOST_AUTO_TEST_CASE(the_same_holds_on_two_threads) {
  check_big_step(2, {});
}

BOOST_AUTO_TEST_CASE(the_same_holds_when_every_fused_op_is_composed) {
  check_big_step(1, {{"cpu-reference.compose", "on"}});
}

BOOST_AUTO_TEST_CASE(sampled_ids_of_the_previous_step_can_be_fed_back_without_reading_them) {
  const TemporaryFolder folder;
  const SyntheticSpec spec = must(SyntheticSpec::make("micro"));
  const auto engine = open_engine(folder, spec, options());
  const SessionId by_host = must(engine->create_session());
  const SessionId on_device = must(engine->create_session());
  const std::vector<std::int32_t> prompt = random_tokens(7, 20, 512);
  all_logits(*engine, by_host, {prompt.begin(), prompt.end() - 1}, 64);
  all_logits(*engine, on_device, {prompt.begin(), prompt.end() - 1}, 64);

  std::vector<StepRow> rows = {{by_host, prompt.back(), true}, {on_device, prompt.back(), true}};
  for (int i = 0; i < 40; ++i) {
    const StepOutput output =
        must(engine->step({.decode = rows, .prefill = {}, .read_logits = false, .forced = {}}));
    BOOST_REQUIRE_EQUAL(output.argmax[0], output.argmax[1]);
    rows = {{by_host, output.argmax[0], true}, {on_device, -2, true}};
  }
  const auto host_tokens = engine->tokens(by_host);
  const auto device_tokens = engine->tokens(on_device);
  BOOST_TEST(std::equal(host_tokens.begin(), host_tokens.end(), device_tokens.begin(),
                        device_tokens.end()));
}

BOOST_AUTO_TEST_CASE(malformed_requests_are_refused_and_change_nothing) {
  const TemporaryFolder folder;
  const SyntheticSpec spec = must(SyntheticSpec::make("micro"));
  EngineOptions small = options();
  small.context = 16;
  small.sessions = 2;
  const auto engine = open_engine(folder, spec, small);
  const SessionId a = must(engine->create_session());
  const SessionId b = must(engine->create_session());
  BOOST_TEST(!engine->create_session());

  const auto refused = [&](std::vector<StepRow> decode, std::vector<StepRow> segment) {
    const auto output =
        engine->step({.decode = decode, .prefill = segment, .read_logits = true, .forced = {}});
    return output ? std::string("accepted") : output.error().what;
  };
  BOOST_TEST(refused({}, {}) == "a step needs at least one row");
  BOOST_TEST(refused({{9, 1, true}}, {}) == "session 9 is not open");
  BOOST_TEST(refused({{a, 1, true}, {b, 1, true}, {a, 1, true}}, {}) ==
             "the rows of session 0 are not one contiguous part of the step");
  BOOST_TEST(refused({{a, 1, true}}, {{a, 1, true}}) ==
             "the rows of session 0 are not one contiguous part of the step");
  BOOST_TEST(refused({}, {{a, 1, true}, {b, 1, true}}) ==
             "the prefill rows belong to more than one session");
  BOOST_TEST(refused({{a, 512, true}}, {}).starts_with("token 512 of session 0 is neither"));
  BOOST_TEST(refused({{a, -1, true}}, {}).starts_with("token -1 of session 0 is neither"));
  BOOST_TEST(refused({}, std::vector<StepRow>(17, {a, 1, false}))
                 .starts_with("session 0 is at 0 of 16 tokens: no room for 17"));
  BOOST_TEST(
      refused(std::vector<StepRow>(9, {a, 1, false}), {}).starts_with("a step holds at most"));
  BOOST_TEST(engine->position(a) == 0U);
  BOOST_TEST(engine->position(b) == 0U);
}

BOOST_AUTO_TEST_CASE(a_step_without_free_pages_is_refused_with_the_numbers_and_changes_nothing) {
  const TemporaryFolder folder;
  const SyntheticSpec spec = must(SyntheticSpec::make("micro"));
  EngineOptions tight = options();
  tight.sessions = 2;
  tight.restore_points = 0;
  tight.pages_percent = 50;  // 2 sessions of 512 tokens need 4 pages of ratio 4: there are 2
  const auto engine = open_engine(folder, spec, tight);
  const SessionId a = must(engine->create_session());
  const SessionId b = must(engine->create_session());
  all_logits(*engine, a, random_tokens(1, 300, 512), 64);
  std::vector<StepRow> rows(4, {b, 1, false});
  const auto output =
      engine->step({.decode = {}, .prefill = rows, .read_logits = true, .forced = {}});
  BOOST_REQUIRE(!output);
  BOOST_TEST((output.error().code == Errc::out_of_memory));
  BOOST_TEST(
      output.error().what ==
      "the step needs 1 KV pages of ratio 4, 0 of 2 are free (session 0 holds 2); end a session or "
      "wait for one");
  BOOST_TEST(engine->position(b) == 0U);
  engine->close_session(a);
  BOOST_TEST(engine->step({.decode = {}, .prefill = rows, .read_logits = true, .forced = {}}).ok());
}

BOOST_AUTO_TEST_CASE(a_step_that_fails_on_the_device_leaves_its_sessions_at_a_restore_point) {
  const TemporaryFolder folder;
  const SyntheticSpec spec = must(SyntheticSpec::make("micro"));
  EngineOptions forced = options();
  forced.selections = Selections::forced;
  const auto engine = open_engine(folder, spec, forced);
  const auto choices = [&](std::size_t rows, std::int32_t expert) {
    std::vector<LayerChoices> out(engine->config().layers);
    for (std::uint32_t layer = 0; layer < engine->config().layers; ++layer) {
      out[layer].experts.assign(rows * engine->config().experts_used, expert);
      if (engine->config().kind(layer) == LayerKind::sparse) {
        out[layer].index.assign(rows * engine->config().index_top_k, -1);
      }
    }
    return out;
  };
  const SessionId session = must(engine->create_session());
  const auto step = [&](std::size_t rows, std::int32_t expert) {
    const std::vector<StepRow> segment(rows, {session, 5, false});
    const std::vector<LayerChoices> given = choices(rows, expert);
    return engine->step({.decode = {}, .prefill = segment, .read_logits = true, .forced = given});
  };
  must(step(30, 1));

  // There is no expert 99: the backend refuses in the middle of the step. Few rows: the rings still
  // hold enough.
  const auto failed = step(4, 99);
  BOOST_REQUIRE(!failed);
  BOOST_TEST(failed.error().what.find("99") != std::string::npos);
  BOOST_TEST(engine->position(session) == 30U);
  must(step(4, 1));
  BOOST_TEST(engine->position(session) == 34U);

  // A malformed request is refused before anything runs.
  const std::vector<StepRow> segment(20, {session, 5, false});
  const std::vector<LayerChoices> too_few = choices(3, 1);
  BOOST_TEST(
      !engine->step({.decode = {}, .prefill = segment, .read_logits = true, .forced = too_few}));
  BOOST_TEST(engine->position(session) == 34U);

  // 17 rows are the most that the rings can lose without harm; with more the session starts over.
  BOOST_TEST(!step(17, 99));
  BOOST_TEST(engine->position(session) == 34U);
  BOOST_TEST(!step(20, 99));
  BOOST_TEST(engine->position(session) == 0U);
  BOOST_TEST(engine->tokens(session).empty());
  must(step(20, 1));
}

BOOST_AUTO_TEST_CASE(two_engines_in_one_process_do_not_disturb_each_other) {
  const TemporaryFolder folder_a, folder_b;
  const SyntheticSpec spec = must(SyntheticSpec::make("micro"));
  SyntheticSpec other = spec;
  other.seed = 2;
  const auto a = open_engine(folder_a, spec, options());
  const std::vector<std::int32_t> tokens = random_tokens(11, 40, 512);
  const std::vector<float> expected = all_logits(*a, must(a->create_session()), tokens, 8);
  const auto b = open_engine(folder_b, other, options());
  const SessionId in_a = must(a->create_session());
  const SessionId in_b = must(b->create_session());
  std::vector<float> seen;
  for (const std::int32_t token : tokens) {
    const std::vector<float> logits = all_logits(*a, in_a, {token}, 1);
    seen.insert(seen.end(), logits.begin(), logits.end());
    BOOST_TEST((all_logits(*b, in_b, {token}, 1) != logits));
  }
  BOOST_TEST((seen == expected));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::test
