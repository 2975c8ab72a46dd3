#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdio>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/integration/run/process.hpp"

namespace ds4 {
namespace {

namespace fs = std::filesystem;
using test::Finished;
using Words = std::vector<std::string>;

constexpr double kMiB = 1024.0 * 1024.0;

/// What the plan may be wrong by (plan_headroom): a run above it was not planned for.
double allowed(double plan) {
  return plan * 1.02 + 20 * kMiB;
}

struct Measured {
  std::string name;
  double plan = 0;
  double peak = 0;
};

/// Makes models once, runs programs on them, and prints a table of plans and peaks.
struct Fixture {
  Fixture() {
    std::string name = (fs::temp_directory_path() / "ds4-peak-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder = name;
  }
  ~Fixture() {
    std::string table = "\n  plan MiB   peak MiB  peak/plan  run\n";
    for (const Measured& run : runs) {
      char line[64];
      (void)std::snprintf(line, sizeof line, "%10.1f %10.1f %10.3f  ", run.plan / kMiB,
                          run.peak / kMiB, run.peak / run.plan);
      table += line + run.name + "\n";
    }
    BOOST_TEST_MESSAGE(table);
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }

  std::string model(const std::string& name, const Words& options) {
    const std::string path = (folder / (name + ".gguf")).string();
    if (fs::exists(path)) return path;
    Words command = {DS4_MAKE_MODEL, path};
    command.insert(command.end(), options.begin(), options.end());
    const Finished made = test::run_process(command);
    BOOST_REQUIRE_MESSAGE(made.status == 0, made.err);
    return path;
  }

  /// An engine of its own, driven by the probe.
  Measured probe(const std::string& model_path, const Words& settings) {
    Words command = {DS4_PEAK_PROBE, model_path};
    command.insert(command.end(), settings.begin(), settings.end());
    const Finished done = test::run_process(command);
    BOOST_REQUIRE_MESSAGE(done.status == 0, done.err);
    Measured run;
    std::istringstream words(done.out);
    std::string plan;
    std::string peak;
    words >> plan >> run.plan >> peak >> run.peak;
    BOOST_REQUIRE(plan == "plan" && peak == "peak");
    return keep(run, "engine " + fs::path(model_path).stem().string(), settings);
  }

  /// ds4-run: once for its plan, once for its peak.
  Measured program(const std::string& model_path, const Words& options, const std::string& prompt) {
    Words command = {DS4_RUN, "-m", model_path, "--backend", "cpu-reference"};
    command.insert(command.end(), options.begin(), options.end());
    Words planning = command;
    planning.insert(planning.end(), {"--plan", "--json"});
    const Finished planned = test::run_process(planning, "", environment());
    BOOST_REQUIRE_MESSAGE(planned.status == 0, planned.err);
    command.insert(command.end(), {"--prompt-file", "-", "--temp", "0", "-n", "8"});
    const Finished done = test::run_process(command, prompt, environment());
    BOOST_REQUIRE_MESSAGE(done.status == 0, done.err);
    Measured run;
    run.plan = boost::json::parse(planned.out).at("host_bytes").to_number<double>();
    run.peak = static_cast<double>(done.peak_bytes);
    return keep(run, "ds4-run " + fs::path(model_path).stem().string(), options);
  }

  Measured keep(Measured run, const std::string& what, const Words& settings) {
    run.name = what;
    for (const std::string& word : settings) run.name += " " + word;
    runs.push_back(run);
    BOOST_TEST_CONTEXT(run.name) {
      BOOST_TEST(run.peak > 0);
      BOOST_TEST(run.peak <= allowed(run.plan));
    }
    return run;
  }

  /// A run that uses what it asked for must not have been asked to reserve much more than that.
  static void not_absurd(const Measured& run) {
    BOOST_TEST_CONTEXT(run.name) {
      BOOST_TEST(run.plan <= 1.5 * run.peak + 64 * kMiB);
    }
  }

  [[nodiscard]] Words environment() const {
    return {"DS4_BACKEND_PATH_ONLY=1", std::string("DS4_BACKEND_PATH=") + DS4_BACKEND_FOLDER,
            "HOME=" + folder.string()};
  }

  static std::string words(std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += "word" + std::to_string(i % 97) + " ";
    return text;
  }

  fs::path folder;
  std::vector<Measured> runs;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(memory_peak, Fixture)

BOOST_AUTO_TEST_CASE(small_models_stay_within_their_plans) {
  const std::string micro = model("micro", {"--shape", "micro"});
  const std::string tiny = model("tiny", {"--shape", "tiny"});
  const std::string wide = model("vocabulary", {"--shape", "micro", "--vocab", "129280"});
  not_absurd(probe(micro, {"ctx=2048", "prefill=512", "tokens=2000"}));
  not_absurd(probe(micro, {"ctx=512", "sessions=16", "decode=16", "logits=16", "tokens=300"}));
  not_absurd(probe(micro, {"ctx=200000", "prefill=64", "tokens=100", "threads=4"}));
  not_absurd(probe(micro, {"ctx=1024", "prefill=1024", "tokens=1000", "compose=1"}));
  not_absurd(probe(tiny, {"ctx=600", "prefill=600", "tokens=590", "recorded=1", "threads=2"}));
  not_absurd(probe(tiny, {"ctx=1000", "sessions=4", "decode=8", "logits=8", "f32=1"}));
  not_absurd(probe(wide, {"ctx=1024", "prefill=128", "logits=128", "tokens=600"}));
  not_absurd(probe(micro, {"ctx=2048", "prefill=512", "tokens=2000", "devices=3"}));
  not_absurd(probe(tiny, {"ctx=1000", "sessions=4", "decode=8", "logits=8", "devices=2"}));
  not_absurd(probe(tiny, {"ctx=1000", "prefill=64", "tokens=100", "copied=1"}));
  program(micro, {"--ctx", "32768"}, words(400));
  program(wide, {"--ctx", "4096", "--prefill-chunk", "256", "-t", "2"}, words(300));
  program(tiny, {"--ctx", "1024", "-t", "4", "--no-row-storage"}, words(40));
  program(micro, {"--ctx", "4096", "--shadow", "cpu-reference:every=4"}, words(200));
}

// Experts that are read one by one stay out of memory: the file's pages would be seen here.
BOOST_AUTO_TEST_CASE(a_model_with_an_expert_cache_stays_within_its_plan) {
  const std::string experts =
      model("experts", {"--shape", "tiny", "--experts", "192", "--layers", "4"});
  const Measured whole = probe(experts, {"ctx=512", "prefill=256", "tokens=400"});
  const Measured few = probe(experts, {"ctx=512", "prefill=256", "tokens=400", "cache=4096"});
  const Measured all = probe(experts, {"ctx=512", "prefill=256", "tokens=400", "cache=900000"});
  program(experts, {"--ctx", "512", "--expert-cache", "8MiB", "-t", "2"}, words(40));
  BOOST_TEST(few.peak + 40 * kMiB < whole.peak);
  BOOST_TEST(few.peak + 40 * kMiB < all.peak);
}

// Weights, activations and pages of some hundred MB each.
BOOST_AUTO_TEST_CASE(large_models_stay_within_their_plans) {
  const std::string experts =
      model("experts", {"--shape", "tiny", "--experts", "256", "--layers", "8"});
  const std::string micro = model("micro", {"--shape", "micro"});
  const std::string vocabulary =
      model("vocabulary-tiny", {"--shape", "tiny", "--vocab", "129280", "--types", "all=f32"});
  not_absurd(probe(experts, {"ctx=1024", "prefill=512", "tokens=1000", "threads=2"}));
  not_absurd(probe(micro, {"ctx=16384", "prefill=16384", "tokens=16000", "threads=2"}));
  not_absurd(probe(experts, {"ctx=1024", "prefill=1024", "tokens=1000", "devices=4"}));
  not_absurd(probe(experts, {"ctx=512", "prefill=64", "tokens=100", "copied=1"}));
  not_absurd(probe(vocabulary, {"ctx=512", "prefill=256", "logits=256", "tokens=300"}));
  not_absurd(program(experts, {"--ctx", "1024", "-t", "2"}, words(150)));
  not_absurd(program(vocabulary, {"--ctx", "1024", "-t", "2"}, words(20)));
  not_absurd(program(experts, {"--ctx", "1024", "-t", "2", "--shadow", "cpu-reference:every=8"},
                     words(60)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4
