#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/runtime.hpp"

// Every level of the fast CPU backend that this machine can run, in whole models: a row has the
// same bits however it came to be, and the logits are those of the reference within model.md 9.

namespace ds4::test {
namespace {

EngineOptions options(Selections selections = Selections::internal) {
  EngineOptions out;
  out.context = 512;
  out.prefill_rows = 256;
  out.logits_rows = 256;
  out.sessions = 3;
  out.selections = selections;
  return out;
}

/// Not all of them may be missing: any processor has the first one.
std::vector<std::string> levels() {
  std::vector<std::string> out = levels_here({DS4_CPU_LEVELS});
  BOOST_REQUIRE(!out.empty());
  return out;
}

std::unique_ptr<Engine> engine_on(const TemporaryFolder& folder, const std::string& shape,
                                  const std::string& level, std::uint32_t threads,
                                  Selections selections = Selections::internal) {
  return must(
      Engine::open(model_in(folder, shape), open_device(level, threads), options(selections)));
}

std::uint32_t vocabulary(const Engine& engine) {
  return engine.model().config().vocab;
}

double cosine(std::span<const float> a, std::span<const float> b) {
  double ab = 0;
  double aa = 0;
  double bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += double{a[i]} * double{b[i]};
    aa += double{a[i]} * double{a[i]};
    bb += double{b[i]} * double{b[i]};
  }
  return ab / std::sqrt(aa * bb);
}

struct Top {
  std::size_t first = 0;
  double gap = 0;  ///< to the second
};
Top top_of(std::span<const float> row) {
  Top top;
  for (std::size_t i = 1; i < row.size(); ++i) {
    if (row[i] > row[top.first]) top.first = i;
  }
  top.gap = HUGE_VAL;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (i != top.first) top.gap = std::min(top.gap, double{row[top.first]} - double{row[i]});
  }
  return top;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cpu_levels)

BOOST_AUTO_TEST_CASE(chunks_and_threads_change_no_bit) {
  const TemporaryFolder folder;
  for (const std::string& level : levels()) {
    for (const std::string shape : {"micro", "tiny-iq2_xxs"}) {
      if (kIsSanitized && shape != "micro") continue;
      const auto first = engine_on(folder, shape, level, 2);
      const std::vector<std::int32_t> tokens = random_tokens(3, 135, vocabulary(*first));
      const std::vector<float> expected =
          all_logits(*first, must(first->create_session()), tokens, 256);
      for (const std::uint32_t threads : {1U, 3U}) {
        const auto engine = engine_on(folder, shape, level, threads);
        for (const std::uint32_t chunk : {threads, 130U}) {
          const SessionId session = must(engine->create_session());
          BOOST_TEST_CONTEXT(level << " " << shape << ", " << threads << " threads, chunks of "
                                   << chunk) {
            BOOST_TEST((all_logits(*engine, session, tokens, chunk) == expected));
          }
          engine->close_session(session);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(tile_registers_change_no_bit) {
  const TemporaryFolder folder;
  const std::vector<std::string> usable = levels();
  // A level and its twin with tiles: of the processor, or in plain code.
  std::vector<std::pair<std::string, std::shared_ptr<plugins::Device>>> twins;
  if (std::ranges::count(usable, "cpu-amx") != 0) {
    twins.emplace_back("cpu-avx512", open_device("cpu-amx", 2));
  }
  const std::vector<std::pair<std::string, std::string>> files = {DS4_PLAIN_TILES_FILES};
  for (const auto& [level, file] : files) {
    if (std::ranges::count(usable, level) == 0) continue;
    twins.emplace_back(level, open_device_of(file, level + "-plain-tiles", 2));
  }
  BOOST_TEST(twins.empty() == files.empty());
  for (const auto& [level, twin] : twins) {
    for (const std::string shape : {"micro", "tiny-iq2_xxs", "tiny-q2_k"}) {
      if (kIsSanitized && shape != "micro") continue;
      const auto engine = engine_on(folder, shape, level, 2);
      const auto other =
          must(Engine::open(model_in(folder, shape), twin, options(Selections::internal)));
      const std::vector<std::int32_t> tokens = random_tokens(9, 150, vocabulary(*engine));
      const std::vector<float> expected =
          all_logits(*engine, must(engine->create_session()), tokens, 150);
      BOOST_TEST_CONTEXT(level << " " << shape) {
        BOOST_TEST((all_logits(*other, must(other->create_session()), tokens, 150) == expected));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_decoded_row_has_the_same_bits_beside_other_sessions) {
  const TemporaryFolder folder;
  for (const std::string& level : levels()) {
    const auto engine = engine_on(folder, "tiny-q2_k", level, 2);
    const std::uint32_t vocab = vocabulary(*engine);
    const std::vector<std::int32_t> tokens = random_tokens(5, 12, vocab);
    const SessionId alone = must(engine->create_session());
    const std::vector<float> expected = all_logits(*engine, alone, tokens, 1);
    engine->close_session(alone);
    std::vector<SessionId> sessions;
    for (int i = 0; i < 3; ++i) sessions.push_back(must(engine->create_session()));
    const std::vector<std::int32_t> others = random_tokens(6, 24, vocab);
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      const StepRow rows[] = {{sessions[0], others[2 * t], true},
                              {sessions[1], tokens[t], true},
                              {sessions[2], others[2 * t + 1], true}};
      const StepOutput output =
          must(engine->step({.decode = rows, .prefill = {}, .read_logits = true, .forced = {}}));
      const auto row = output.row(1);
      BOOST_TEST_CONTEXT(level << ", token " << t) {
        BOOST_TEST(std::equal(row.begin(), row.end(),
                              expected.begin() + static_cast<std::ptrdiff_t>(t * vocab)));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(logits_are_the_reference_s_but_for_int8_with_its_selections) {
  for (const char* shape : {"tiny", "tiny-iq2_xxs", "tiny-q2_k"}) {
    const TemporaryFolder folder;
    const auto reference = engine_on(folder, shape, "cpu-reference", 2, Selections::recorded);
    const std::uint32_t vocab = vocabulary(*reference);
    const std::vector<std::int32_t> tokens = random_tokens(11, 200, vocab);
    const auto rows_of = [&](SessionId session) {
      std::vector<StepRow> rows;
      for (const std::int32_t token : tokens) rows.push_back({session, token, true});
      return rows;
    };
    const std::vector<StepRow> asked = rows_of(must(reference->create_session()));
    const StepOutput expected =
        must(reference->step({.decode = {}, .prefill = asked, .read_logits = true, .forced = {}}));
    for (const std::string& level : levels()) {
      const auto engine = engine_on(folder, shape, level, 2, Selections::forced);
      const std::vector<StepRow> rows = rows_of(must(engine->create_session()));
      const StepOutput got = must(engine->step(
          {.decode = {}, .prefill = rows, .read_logits = true, .forced = expected.choices}));
      std::vector<double> cosines;
      std::size_t clear = 0;
      std::size_t agreed = 0;
      for (std::uint32_t r = 0; r < got.rows; ++r) {
        cosines.push_back(cosine(got.row(r), expected.row(r)));
        const Top top = top_of(expected.row(r));
        if (top.gap <= 0.1) continue;
        ++clear;
        agreed += top_of(got.row(r)).first == top.first ? 1 : 0;
      }
      std::sort(cosines.begin(), cosines.end());
      const double median = cosines[cosines.size() / 2];
      BOOST_TEST_MESSAGE(level << " " << shape << ": lowest cosine " << cosines.front()
                               << ", median " << median << ", first agrees " << agreed << " of "
                               << clear);
      BOOST_TEST_CONTEXT(level << " " << shape) {
        // model.md 9, whole miniature model with int8 activations and the same selections.
        BOOST_TEST(cosines.front() > 0.995);
        BOOST_TEST(median > 0.998);
        BOOST_TEST(static_cast<double>(agreed) > 0.97 * static_cast<double>(clear));
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::test
