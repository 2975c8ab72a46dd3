// The forward pass with every rounding on, against greedy logits that an independent C engine
// recorded (tests/golden/ds4-logits). That engine quantises activations to int8 and rounds stored
// rows to f16, so agreement is judged by the median over the recorded top 20 of all steps; single
// steps differ where a near-tie expert flips.
#include <boost/json.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "engine/sync.hpp"
#include "model/vocabulary_source.hpp"
#include "tests/support/runtime.hpp"
#include "tokenizer/chat.hpp"
#include "tokenizer/tokenizer.hpp"

namespace ds4::test {
namespace {

constexpr double kMedianBound = 0.06;

struct Recorded {
  std::size_t prompt_tokens = 0;
  struct Step {
    std::int32_t selected = 0;
    std::vector<std::pair<std::int32_t, double>> top;  // id, logit
  };
  std::vector<Step> steps;
};

std::filesystem::path golden(const std::string& file) {
  return std::filesystem::path(DS4_SOURCE_DIR) / "tests/golden/ds4-logits" / file;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  BOOST_REQUIRE_MESSAGE(in, path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

Recorded read_recorded(const std::string& file) {
  const boost::json::value root = boost::json::parse(read_file(golden(file)));
  Recorded out;
  out.prompt_tokens = root.at("prompt_tokens").to_number<std::size_t>();
  for (const boost::json::value& step : root.at("steps").as_array()) {
    Recorded::Step entry;
    entry.selected = step.at("selected").at("id").to_number<std::int32_t>();
    for (const boost::json::value& top : step.at("top_logprobs").as_array()) {
      entry.top.emplace_back(top.at("token").at("id").to_number<std::int32_t>(),
                             top.at("logit").to_number<double>());
    }
    out.steps.push_back(std::move(entry));
  }
  return out;
}

std::vector<std::int32_t> encode_prompt(const ModelFile& model, const std::string& text) {
  const Tokenizer tokenizer = must(Tokenizer::make(must(vocabulary_source(model.gguf()))));
  const Message message = text_message(Role::user, text);
  ChatOptions chat;
  chat.effort = &v4_profile().efforts.front();  // does not think
  const Prompt prompt = must(render_chat(v4_profile(), {&message, 1}, chat));
  return must(tokenizer.encode_segments(prompt.segments));
}

void check(const std::string& model_name, const std::string& prompt_name) {
  const auto path = std::filesystem::path(DS4_LOGITS_MODELS) / (model_name + ".gguf");
  ModelFile model = must(ModelFile::open(path));
  const Recorded recorded = read_recorded(model_name + "_" + prompt_name + ".json");
  const std::vector<std::int32_t> prompt =
      encode_prompt(model, read_file(golden("prompt_" + prompt_name + ".txt")));
  BOOST_REQUIRE_EQUAL(prompt.size(), recorded.prompt_tokens);

  EngineOptions options;
  options.context = 4096;
  options.prefill_rows = 128;
  const auto engine =
      must(Engine::open(std::move(model), open_device("cpu-reference", 2), options));
  const SessionId session = must(engine->create_session());
  const SyncReport report = must(sync(*engine, session, prompt));
  std::span<const float> logits = report.logits;

  std::vector<double> differences;
  std::size_t same_choice = 0;
  for (const Recorded::Step& step : recorded.steps) {
    for (const auto& [id, logit] : step.top) {
      differences.push_back(std::fabs(logits[static_cast<std::size_t>(id)] - logit));
    }
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    same_choice += best == step.selected ? 1 : 0;
    logits = must(evaluate(*engine, session, step.selected));
  }
  std::sort(differences.begin(), differences.end());
  const double median = differences[differences.size() / 2];
  BOOST_TEST_MESSAGE(model_name << " " << prompt_name << ": " << prompt.size() << " prompt tokens, "
                                << recorded.steps.size() << " steps, median |dlogit| " << median
                                << ", 90 % " << differences[differences.size() * 9 / 10] << ", max "
                                << differences.back() << ", same choice in " << same_choice
                                << " steps");
  BOOST_TEST(median <= kMedianBound);
}

const char* const kModels[] = {"tinyA", "tinyB"};

}  // namespace

BOOST_AUTO_TEST_SUITE(ds4_logits)

BOOST_DATA_TEST_CASE(short_and_mid_prompts_agree,
                     boost::unit_test::data::make(kModels) *
                         boost::unit_test::data::make({"short", "mid"}),
                     model, prompt) {
  if (kIsSanitized && prompt != std::string("short")) {
    BOOST_TEST_MESSAGE("skipped under a sanitizer, where it takes minutes: " << prompt);
    return;
  }
  check(model, prompt);
}

BOOST_DATA_TEST_CASE(long_prompts_agree, boost::unit_test::data::make(kModels), model) {
  check(model, "long");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::test
