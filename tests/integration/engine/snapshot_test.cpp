#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "engine/session_file.hpp"
#include "engine/sync.hpp"
#include "tests/integration/engine/history.hpp"
#include "tests/support/damaged_snapshots.hpp"

namespace ds4::test {
namespace {

namespace fs = std::filesystem;

EngineOptions options() {
  EngineOptions out;
  out.context = 1024;
  out.sessions = 2;
  out.prefill_rows = 64;
  out.logits_rows = 64;
  return out;
}

struct Fixture {
  Fixture() : model(folder.path() / "micro.gguf") {
    must(write_synthetic_model(model, must(SyntheticSpec::make("micro"))));
  }
  [[nodiscard]] std::unique_ptr<Engine> open(const EngineOptions& with = options()) const {
    return engine_over(model, with);
  }
  TemporaryFolder folder;
  fs::path model;
};

std::string refusal(const Result<void>& result) {
  return result ? "accepted" : result.error().what;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(snapshots, Fixture)

BOOST_AUTO_TEST_CASE(a_snapshot_depends_on_the_tokens_alone) {
  const Tokens tokens = random_tokens(21, 387, 512);
  const auto plain = open();
  const SessionId whole = must(plain->create_session());
  all_logits(*plain, whole, tokens, 64);
  const std::vector<std::byte> expected = snapshot_of(*plain, whole, SnapshotContent::state);

  // Another ring slot, other pages, single rows, a detour, no restore points, more slots.
  EngineOptions other = options();
  other.sessions = 5;
  other.restore_points = 0;
  other.context = 777;
  other.prefill_rows = 50;
  const auto engine = open(other);
  const SessionId first = must(engine->create_session());
  all_logits(*engine, first, random_tokens(22, 300, 512), 50);
  const SessionId second = must(engine->create_session());
  engine->close_session(first);
  Tokens detour(tokens.begin(), tokens.begin() + 380);
  const Tokens wrong = random_tokens(23, 9, 512);
  detour.insert(detour.end(), wrong.begin(), wrong.end());
  all_logits(*engine, second, detour, 1);
  BOOST_TEST(must(engine->rewind(second, 380)) == 380U);
  all_logits(*engine, second, {tokens.begin() + 380, tokens.end()}, 3);
  BOOST_TEST((snapshot_of(*engine, second, SnapshotContent::state) == expected));

  // And it is the same again once it was loaded.
  must(engine->restore(second, expected, "memory"));
  BOOST_TEST((snapshot_of(*engine, second, SnapshotContent::state) == expected));
}

BOOST_AUTO_TEST_CASE(a_session_goes_on_in_a_new_engine_as_if_it_had_never_stopped) {
  const Tokens tokens = random_tokens(24, 1000, 512);
  const auto plain = open();
  const std::vector<float> expected = all_logits(*plain, must(plain->create_session()), tokens, 64);
  // Beginnings, borders of compressed rows and pages, a filled window.
  for (const std::uint32_t saved : {1U, 3U, 4U, 7U, 8U, 9U, 127U, 128U, 129U, 255U, 256U, 640U}) {
    BOOST_TEST_CONTEXT("saved at " << saved) {
      const fs::path file = folder.path() / "session.kv";
      {
        const auto engine = open();
        const SessionId session = must(engine->create_session());
        all_logits(*engine, session, {tokens.begin(), tokens.begin() + saved}, 33);
        must(save_session(*engine, session, file));
      }
      const auto engine = open();
      const SessionId session = must(engine->create_session());
      // The memory may still hold what the first engine had there: other tokens overwrite it.
      all_logits(*engine, session, random_tokens(saved, 200, 512), 64);
      must(load_session(*engine, session, file));
      BOOST_TEST(engine->position(session) == saved);
      const std::uint32_t end = std::min(saved + 300, 1000U);
      const std::vector<float> after =
          all_logits(*engine, session, {tokens.begin() + saved, tokens.begin() + end}, 21);
      BOOST_TEST(std::equal(after.begin(), after.end(), expected.begin() + saved * 512L));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_thousand_tokens_back_and_again) {
  const Tokens tokens = random_tokens(25, 1020, 512);
  EngineOptions few = options();
  few.restore_points = 2;
  const auto plain = open();
  const std::vector<float> expected = all_logits(*plain, must(plain->create_session()), tokens, 64);
  const auto engine = open(few);
  const SessionId session = must(engine->create_session());
  all_logits(*engine, session, {tokens.begin(), tokens.begin() + 15}, 15);
  BOOST_TEST(must(engine->keep_restore_point(session, 12)));
  all_logits(*engine, session, {tokens.begin() + 15, tokens.end()}, 64);
  BOOST_TEST(engine->restore_points(session).front() == 12U);
  BOOST_TEST(must(engine->rewind(session, 20)) == 12U);
  const std::vector<float> again =
      all_logits(*engine, session, {tokens.begin() + 12, tokens.end()}, 64);
  BOOST_TEST(std::equal(again.begin(), again.end(), expected.begin() + 12 * 512L));

  // sync() says what it had to do again.
  Tokens other(tokens.begin(), tokens.begin() + 300);
  other.back() = (other.back() + 1) % 512;
  const SyncReport report = must(sync(*engine, session, other));
  BOOST_TEST(report.cached + report.repeated == 299U);
  BOOST_TEST(report.evaluated == report.repeated + 1);
  BOOST_TEST(report.repeated > 0U);
  // The same prompt again costs its last token.
  BOOST_TEST(must(sync(*engine, session, other)).cached == 299U);
  all_logits(*engine, session, random_tokens(1, 200, 512), 64);
  const SyncReport retry = must(sync(*engine, session, other));
  BOOST_TEST(retry.cached == 299U);
  BOOST_TEST(retry.repeated == 0U);
}

BOOST_AUTO_TEST_CASE(a_session_that_went_back_reads_its_own_pages_whoever_has_those_it_left) {
  const Tokens tokens = random_tokens(33, 160, 512);
  const auto plain = open();
  const std::vector<float> expected = all_logits(*plain, must(plain->create_session()), tokens, 64);
  const auto engine = open();
  const SessionId session = must(engine->create_session());
  all_logits(*engine, session, {tokens.begin(), tokens.begin() + 101}, 64);
  BOOST_TEST(must(engine->keep_restore_point(session, 101)));
  all_logits(*engine, session, {tokens.begin() + 101, tokens.end()}, 64);  // in a copy of the page
  BOOST_TEST(must(engine->rewind(session, 101)) == 101U);
  all_logits(*engine, must(engine->create_session()), random_tokens(34, 128, 512), 64);  // takes it
  // Row 101 finishes no compressed row: no entry of the page table is sent for it.
  const std::vector<float> next = all_logits(*engine, session, {tokens[101]}, 1);
  BOOST_TEST(std::equal(next.begin(), next.end(), expected.begin() + 101 * 512L));
}

BOOST_AUTO_TEST_CASE(a_step_that_fails_goes_back_to_a_restore_point) {
  EngineOptions forced = options();
  forced.selections = Selections::forced;
  const auto engine = open(forced);
  const SessionId session = must(engine->create_session());
  const auto step = [&](std::size_t rows, std::int32_t expert) {
    std::vector<LayerChoices> given(engine->config().layers);
    for (std::uint32_t layer = 0; layer < engine->config().layers; ++layer) {
      given[layer].experts.assign(rows * engine->config().experts_used, expert);
      if (engine->config().kind(layer) == LayerKind::sparse) {
        given[layer].index.assign(rows * engine->config().index_top_k, -1);
      }
    }
    const std::vector<StepRow> segment(rows, {session, 5, true});
    return engine->step({.decode = {}, .prefill = segment, .read_logits = true, .forced = given});
  };
  must(step(50, 1));
  BOOST_TEST(must(engine->keep_restore_point(session, 47)));
  const StepOutput good = must(step(30, 1));
  const std::vector<float> expected(good.logits.begin(), good.logits.end());
  must(engine->rewind(session, 50));
  BOOST_TEST(engine->position(session) == 47U);
  must(step(3, 1));
  BOOST_TEST(!step(40, 99));  // there is no expert 99, and 40 rows overwrite the rings
  BOOST_TEST(engine->position(session) == 47U);
  must(step(3, 1));
  const StepOutput again = must(step(30, 1));
  BOOST_TEST(std::equal(expected.begin(), expected.end(), again.logits.begin()));
  BOOST_TEST(!step(16, 99));
  BOOST_TEST(engine->position(session) == 80U);
}

BOOST_AUTO_TEST_CASE(a_scheduler_is_told_before_what_a_step_would_need) {
  EngineOptions tight = options();
  tight.pages_percent = 50;  // 4 pages of ratio 4, as many as one full session needs
  tight.restore_points = 0;
  const auto engine = open(tight);
  const SessionId a = must(engine->create_session());
  const SessionId b = must(engine->create_session());
  all_logits(*engine, a, random_tokens(35, 700, 512), 64);
  const RowsWanted fits{b, 100}, too_many{b, 260}, none{b, 3};
  BOOST_TEST(must(engine->page_demand({&fits, 1})).fits());
  BOOST_TEST(must(engine->page_demand({&none, 1})).ratios[0].needed == 0U);
  const PageDemand refused = must(engine->page_demand({&too_many, 1}));
  BOOST_TEST(!refused.fits());
  BOOST_TEST(refused.ratios[0].needed == 2U);
  BOOST_TEST(refused.ratios[0].available == 1U);
  BOOST_TEST(refused.ratios[0].total == 4U);
  const RowsWanted twice[] = {fits, fits};
  const RowsWanted beyond{b, 1025}, unknown{9, 1};
  BOOST_TEST(!engine->page_demand(twice));
  BOOST_TEST(!engine->page_demand({&beyond, 1}));
  BOOST_TEST(!engine->page_demand({&unknown, 1}));

  // A saved session that finds no pages changes nothing either.
  const std::vector<std::byte> big = snapshot_of(*engine, a, SnapshotContent::state);
  all_logits(*engine, b, random_tokens(36, 40, 512), 40);
  const auto restored = engine->restore(b, big, "big.kv");
  BOOST_REQUIRE(!restored);
  BOOST_TEST(restored.error().what ==
             "big.kv: the saved session needs 3 KV pages of ratio 4, 1 of 4 are free (session 0 "
             "holds 3, session 1 holds 1); end a session or wait for one");
  BOOST_TEST(engine->position(b) == 40U);
}

BOOST_AUTO_TEST_CASE(damaged_snapshots_are_refused_in_one_line_and_change_nothing) {
  const auto engine = open();
  const SessionId source = must(engine->create_session());
  all_logits(*engine, source, random_tokens(26, 330, 512), 64);
  const std::vector<std::byte> good =
      snapshot_of(*engine, source, SnapshotContent::with_restore_points);
  engine->close_session(source);

  const Tokens tokens = random_tokens(27, 301, 512);
  const SessionId session = must(engine->create_session());
  all_logits(*engine, session, {tokens.begin(), tokens.end() - 1}, 64);
  const std::vector<std::byte> before =
      snapshot_of(*engine, session, SnapshotContent::with_restore_points);
  const std::vector<DamagedSnapshot> all = damaged_snapshots(good);
  BOOST_TEST(all.size() >= 40U);
  for (const DamagedSnapshot& damaged : all) {
    BOOST_TEST_CONTEXT(damaged.what) {
      const auto loaded = engine->restore(session, damaged.bytes, "some.kv");
      BOOST_REQUIRE(!loaded);
      const std::string what = loaded.error().what;
      BOOST_TEST(what.starts_with("some.kv: "));
      BOOST_TEST(what.find('\n') == std::string::npos);
      BOOST_TEST((loaded.error().code == Errc::bad_file ||
                  loaded.error().code == Errc::unsupported ||
                  loaded.error().code == Errc::out_of_memory));
    }
  }
  BOOST_TEST((snapshot_of(*engine, session, SnapshotContent::with_restore_points) == before));
  const auto plain = open();
  const std::vector<float> expected = all_logits(*plain, must(plain->create_session()), tokens, 64);
  const std::vector<float> next = all_logits(*engine, session, {tokens.back()}, 1);
  BOOST_TEST(std::equal(next.begin(), next.end(), expected.end() - 512));
  must(engine->restore(session, good, "some.kv"));
}

BOOST_AUTO_TEST_CASE(any_stored_numbers_can_be_loaded_and_run) {
  const auto engine = open();
  const SessionId session = must(engine->create_session());
  const Tokens tokens = random_tokens(28, 330, 512);
  all_logits(*engine, session, tokens, 64);
  const std::vector<std::byte> good = snapshot_of(*engine, session, SnapshotContent::state);
  for (const unsigned value : {0x00U, 0x7fU, 0x80U, 0xffU}) {
    must(engine->restore(session, with_rows_of(static_cast<std::byte>(value), good), "memory"));
    all_logits(*engine, session, random_tokens(29, 140, 512), 30);
    BOOST_TEST(engine->position(session) == 470U);
  }
}

BOOST_AUTO_TEST_CASE(a_snapshot_of_another_model_or_another_row_format_is_refused_by_name) {
  const auto engine = open();
  const SessionId session = must(engine->create_session());
  all_logits(*engine, session, random_tokens(30, 40, 512), 40);
  const std::vector<std::byte> bytes = snapshot_of(*engine, session, SnapshotContent::state);

  SyntheticSpec reseeded = must(SyntheticSpec::make("micro"));
  reseeded.seed = 2;
  const fs::path other = folder.path() / "other.gguf";
  must(write_synthetic_model(other, reseeded));
  const auto weights = engine_over(other, options());
  BOOST_TEST(
      refusal(weights->restore(must(weights->create_session()), bytes, "a.kv")).find("other") !=
      std::string::npos);

  SyntheticSpec narrower = must(SyntheticSpec::make("micro"));
  narrower.config.window = 16;
  must(write_synthetic_model(other, narrower));
  const auto shape = engine_over(other, options());
  BOOST_TEST(refusal(shape->restore(must(shape->create_session()), bytes, "a.kv"))
                 .starts_with("a.kv: was saved with another model file"));

  EngineOptions unrounded = options();
  unrounded.roundings.row_storage = false;
  const auto rows = open(unrounded);
  BOOST_TEST(refusal(rows->restore(must(rows->create_session()), bytes, "a.kv"))
                 .starts_with("a.kv: keeps its rows in another format"));

  EngineOptions small = options();
  small.context = 39;
  const auto context = open(small);
  BOOST_TEST(refusal(context->restore(must(context->create_session()), bytes, "a.kv")) ==
             "a.kv: has 40 tokens, the context holds 39; raise --ctx");
}

BOOST_AUTO_TEST_CASE(saving_replaces_a_file_whole_or_leaves_it) {
  const auto engine = open();
  const SessionId session = must(engine->create_session());
  const fs::path file = folder.path() / "a.kv";
  BOOST_TEST(!save_session(*engine, session, file));  // nothing is evaluated yet
  BOOST_TEST(!fs::exists(file));
  all_logits(*engine, session, random_tokens(31, 20, 512), 20);
  must(save_session(*engine, session, file));
  const auto first = fs::file_size(file);
  BOOST_TEST((fs::status(file).permissions() == (fs::perms::owner_read | fs::perms::owner_write)));
  const auto failed = engine->snapshot(
      session, [](std::span<const std::byte>) -> Result<void> { return fail(Errc::io, "full"); });
  BOOST_TEST(refusal(failed) == "full");
  engine->close_session(session);
  const SessionId empty = must(engine->create_session());
  BOOST_TEST(!save_session(*engine, empty, file));
  BOOST_TEST(fs::file_size(file) == first);
  must(load_session(*engine, empty, file));
  fs::create_directory(folder.path() / "folder");
  BOOST_TEST(!save_session(*engine, empty, folder.path() / "folder"));
  BOOST_TEST(!load_session(*engine, empty, folder.path() / "folder"));
  BOOST_TEST(!load_session(*engine, empty, folder.path() / "nothing"));
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    BOOST_TEST(entry.path().string().find(".partial-") == std::string::npos);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::test
