#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/integration/run/process.hpp"
#include "tests/support/header_model.hpp"
#include "tests/support/runtime.hpp"

namespace ds4 {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using test::Finished;
using Words = std::vector<std::string>;

// Sanitizers take time and memory of their own.
#ifdef DS4_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

struct Fixture {
  Fixture() { test::must(write_synthetic_model(model, test::must(SyntheticSpec::make("micro")))); }

  [[nodiscard]] Finished run(const Words& arguments, const std::string& input = "") const {
    return start(DS4_INSPECT, arguments, input);
  }
  [[nodiscard]] Finished start(const char* program, const Words& arguments,
                               const std::string& input = "") const {
    Words command = {program};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return test::run_process(
        command, input,
        {"DS4_BACKEND_PATH_ONLY=1", std::string("DS4_BACKEND_PATH=") + DS4_BACKEND_FOLDER,
         "HOME=" + folder.path().string(), "DS4_MODEL="});
  }
  [[nodiscard]] json::value run_json(Words arguments) const {
    arguments.push_back("--json");
    const Finished done = run(arguments);
    BOOST_REQUIRE_MESSAGE(done.status == 0, done.err);
    return json::parse(done.out);
  }
  /// A run that has to end with one line on stderr and this status.
  void refused(const Words& arguments, int status, const std::string& part) const {
    const Finished done = run(arguments);
    BOOST_TEST(done.status == status, done.out + done.err);
    BOOST_TEST(lines(done.err) == 1U, done.err);
    BOOST_TEST(contains(done.err, part), done.err);
    BOOST_TEST(done.err.starts_with("ds4-inspect: "));
    BOOST_TEST(done.out.empty());
  }
  /// The model's bytes with some of them replaced.
  [[nodiscard]] std::string damaged(std::size_t at, const std::string& bytes) const {
    std::string content = read(model);
    content.replace(at, bytes.size(), bytes);
    const std::string path = (folder.path() / "damaged.gguf").string();
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  [[nodiscard]] std::uint64_t offset_of(const std::string& tensor) const {
    return test::must(GgufFile::open(model)).find_tensor(tensor)->offset;
  }

  test::TemporaryFolder folder;
  std::string model = (folder.path() / "micro.gguf").string();
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(ds4_inspect, Fixture)

BOOST_AUTO_TEST_CASE(a_dump_shows_every_key_and_tensor) {
  const GgufFile file = test::must(GgufFile::open(model));
  const Finished done = run({model});
  BOOST_TEST_REQUIRE(done.status == 0, done.err);
  for (const GgufEntry& entry : file.metadata()) {
    BOOST_TEST(contains(done.out, "\n" + std::string(entry.key) + " "), entry.key);
  }
  for (const TensorInfo& tensor : file.tensors()) {
    BOOST_TEST(contains(done.out, "\n" + std::string(tensor.name) + " "), tensor.name);
  }
  BOOST_TEST(contains(done.out, "deepseek4.embedding_length"));
  BOOST_TEST(contains(done.out, "[64, 512]"));
  BOOST_TEST(contains(done.out, "(512 elements)"));
  BOOST_TEST(!contains(done.out, "\x1b"));

  const json::value all = run_json({"dump", model, "--full"});
  BOOST_TEST(all.at("tensors").as_array().size() == file.tensors().size());
  BOOST_TEST(all.at("metadata").as_array().size() == file.metadata().size());
  for (const json::value& entry : all.at("metadata").as_array()) {
    if (entry.at("key") != "tokenizer.ggml.tokens") continue;
    BOOST_TEST(entry.at("value").as_array().size() == 512U);
  }
}

BOOST_AUTO_TEST_CASE(a_filter_and_a_section_narrow_a_dump) {
  const Finished some = run({"dump", model, "--tensors", "--filter", "blk.1.ffn_*_exps.weight"});
  BOOST_TEST(some.status == 0);
  BOOST_TEST(contains(some.out, "shown: 3 tensors, "));
  BOOST_TEST(!contains(some.out, "general."));
  const Finished keys = run({"dump", model, "--metadata", "--filter", "general.*"});
  BOOST_TEST(contains(keys.out, "general.architecture"));
  BOOST_TEST(!contains(keys.out, "tokenizer."));
  BOOST_TEST(!contains(keys.out, "tensors\n"));
}

BOOST_AUTO_TEST_CASE(a_sound_model_passes_every_check) {
  for (const Words& more : {Words{}, Words{"--values"}}) {
    Words words = {"check", model};
    words.insert(words.end(), more.begin(), more.end());
    const Finished done = run(words);
    BOOST_TEST(done.status == 0, done.err);
    for (const char* rule : {"container", "layout", "types", "model", "tokenizer", "values"}) {
      BOOST_TEST(contains(done.out, std::string("ok    ") + rule + ": "), done.out);
    }
  }
  const json::value checked = run_json({"check", model});
  BOOST_TEST(checked.at("ok").as_bool());
}

BOOST_AUTO_TEST_CASE(broken_files_are_one_line) {
  refused({"check", (folder.path() / "none.gguf").string()}, 1, "there is no file");
  refused({"check", folder.path().string()}, 1, "regular file");
  refused({"check", damaged(0, "GGML")}, 1, "not a GGUF file");
  refused({"check", damaged(8, std::string(8, '\x7f'))}, 1, "tensor count");
  // The last tensor would end behind the file.
  const std::string content = read(model);
  const std::string cut = (folder.path() / "cut.gguf").string();
  std::ofstream(cut, std::ios::binary) << content.substr(0, content.size() - 64);
  for (const char* command : {"check", "dump", "hash", "plan", "tokens"}) {
    refused({command, cut}, 1, "cut.gguf");
  }
  refused({"diff", model, cut}, 1, "cut.gguf");
}

BOOST_AUTO_TEST_CASE(values_that_are_not_finite_are_found) {
  const std::string nan("\x00\x00\xc0\x7f", 4);
  refused({"check", damaged(offset_of("blk.0.attn_norm.weight") + 8, nan)}, 1,
          "blk.0.attn_norm.weight: value 2 of row 0 is not finite");
  // The scale of a quantised block (Q8_0: a half in front), looked at only when asked.
  const std::string scale("\x00\x7e", 2);
  const std::string path = damaged(offset_of("blk.2.ffn_down_shexp.weight") + 34, scale);
  BOOST_TEST(run({"check", path}).status == 0);
  refused({"check", path, "--values"}, 1, "blk.2.ffn_down_shexp.weight: value ");
  // An expert table that names an expert beyond the last.
  refused({"check", damaged(offset_of("blk.0.ffn_gate_tid2eid.weight"), "\x63")}, 1,
          "ffn_gate_tid2eid");
}

BOOST_AUTO_TEST_CASE(hashes_follow_the_bytes) {
  const json::value before = run_json({"hash", model});
  const std::string path = damaged(offset_of("output_norm.weight"), "\x01");
  const json::value after = run_json({"hash", path});
  BOOST_TEST(before.at("file_sha256") != after.at("file_sha256"));
  BOOST_TEST(before.at("header_sha256") == after.at("header_sha256"));
  std::size_t changed = 0;
  for (const auto& [name, digest] : before.at("tensors_xxh3").as_object()) {
    if (digest == after.at("tensors_xxh3").at(name)) continue;
    BOOST_TEST(name == "output_norm.weight");
    ++changed;
  }
  BOOST_TEST(changed == 1U);
  // The same digest as another program's.
  const Finished other = test::run_process({"/usr/bin/sha256sum", model});
  if (other.status == 0) {
    BOOST_TEST(other.out.substr(0, 64) == std::string(before.at("file_sha256").as_string()));
  }
}

BOOST_AUTO_TEST_CASE(a_diff_names_what_differs) {
  const Finished same = run({"diff", model, model});
  BOOST_TEST(same.status == 0);
  BOOST_TEST(same.out == "the files say the same\n");

  const std::string path = damaged(offset_of("output_norm.weight") + 5, "\x01");
  const Finished bytes = run({"diff", model, path});
  BOOST_TEST(bytes.status == 1);
  BOOST_TEST(bytes.out == "tensor output_norm.weight: bytes differ from byte 5 on\n");
  BOOST_TEST(run({"diff", model, path, "--header"}).status == 0);

  SyntheticSpec spec = test::must(SyntheticSpec::make("micro"));
  spec.config.index_top_k = 4;
  spec.types.expert_down = Dtype::f32;
  const std::string other = (folder.path() / "other.gguf").string();
  test::must(write_synthetic_model(other, spec));
  const Finished shape = run({"diff", model, other, "--header"});
  BOOST_TEST(shape.status == 1);
  BOOST_TEST(contains(shape.out, "key deepseek4.attention.indexer.top_k: u32 3 against u32 4\n"));
  BOOST_TEST(contains(shape.out, "blk.0.ffn_down_exps.weight: Q8_0 [32, 64, 8] against F32"));
  BOOST_TEST(lines(shape.out) == 5U, shape.out);  // the key and four layers
}

BOOST_AUTO_TEST_CASE(tokens_come_from_an_argument_or_a_pipe) {
  const Finished word = run({"tokens", model, "Hello there"});
  BOOST_TEST(word.status == 0, word.err);
  BOOST_TEST(word.out.starts_with("11 bytes, "), word.out);
  BOOST_TEST(run({"tokens", model}, "Hello there").out == word.out);
  const json::value tokens = run_json({"tokens", model, "a\nb"});
  std::string text;
  for (const json::value& token : tokens.at("tokens").as_array()) {
    text += std::string(token.at("bytes").as_string());
  }
  BOOST_TEST(text == "a\nb");
}

BOOST_AUTO_TEST_CASE(wrong_use_is_one_line_and_status_2) {
  refused({"dump", model, "more"}, 2, "unexpected argument more");
  refused({"diff", model}, 2, "two files");
  refused({"check", model, "--full"}, 2, "--full is for the command dump");
  refused({"--ctx", "0", model}, 2, "--ctx");
  refused({"hash", model, "--filter"}, 2, "--filter");
  const Finished unknown = run({"--nonsense"});
  BOOST_TEST(unknown.status == 2);
  BOOST_TEST(
      unknown.err.starts_with("ds4-inspect: unknown option --nonsense\nusage: ds4-inspect "));
}

BOOST_AUTO_TEST_CASE(help_names_the_commands) {
  const Finished help = run({"--help"});
  BOOST_TEST(help.status == 0);
  for (const char* word : {"dump", "check", "hash", "diff", "plan", "tokens", "--filter"}) {
    BOOST_TEST(contains(help.out, word));
  }
  BOOST_TEST(run({"--version"}).out.starts_with("ds4-inspect "));
}

// The figures of the model notes: 1,328 tensors in 86,718,242,912 bytes, of which a plan reads the
// header only: the file here has nothing but holes behind it.
BOOST_AUTO_TEST_CASE(flash_is_planned_from_its_header) {
  const std::string flash = (folder.path() / "flash.gguf").string();
  test::must(test::write_header_model(flash, test::must(SyntheticSpec::make("flash"))));
  const auto begin = std::chrono::steady_clock::now();
  const Finished done = run({"--plan", flash, "--ctx", "100000"});
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  BOOST_TEST_REQUIRE(done.status == 0, done.err);
  BOOST_TEST_MESSAGE(done.out << "took " << seconds.count() << " s, " << done.peak_bytes / (1 << 20)
                              << " MiB");
  BOOST_TEST(contains(done.out, ": 1328 tensors, "), done.out);
  BOOST_TEST(contains(done.out, ", 86718242912 bytes in the file\n"), done.out);
  BOOST_TEST(contains(done.out, "\ntotal  "), done.out);
  const json::value plan = run_json({"--plan", flash, "--ctx", "100000"});
  BOOST_TEST(plan.at("tensor_count").to_number<std::uint64_t>() == 1328U);
  BOOST_TEST(plan.at("kv").at(2).at("context").to_number<std::uint64_t>() == 1048576U);
  BOOST_TEST(plan.at("kv").at(2).at("pages").to_number<double>() / 1e6 > 3684.9);
  BOOST_TEST(plan.at("kv").at(2).at("pages").to_number<double>() / 1e6 < 3685.1);
  // Performance notes 1.3: packed rows read at a context, in MB, with a window of 128 rows.
  BOOST_TEST(plan.at("kv").at(0).at("read_per_token").to_number<double>() / 1e6 > 24.1);
  BOOST_TEST(plan.at("kv").at(0).at("read_per_token").to_number<double>() / 1e6 < 24.3);
  BOOST_TEST(plan.at("kv").at(2).at("read_per_token").to_number<double>() / 1e6 > 479.5);
  BOOST_TEST(plan.at("kv").at(2).at("read_per_token").to_number<double>() / 1e6 < 480.5);
  if (!kSanitized) {
    BOOST_TEST(done.cpu_seconds < 2.0);
    BOOST_TEST(done.peak_bytes < 300U << 20);
  }
  // A model that is made while it is loaded is planned likewise, but copied.
  const json::value made = run_json({"plan", "synthetic:flash", "--ctx", "100000"});
  const json::object& weights = made.at("plan").at("weights").as_object();
  BOOST_TEST(weights.at("in_place").to_number<std::uint64_t>() == 0U);
  BOOST_TEST(weights.at("copied") == plan.at("plan").at("weights").at("in_place"));
  BOOST_TEST(made.at("traffic") == plan.at("traffic"));
  const json::value few = run_json({"plan", "synthetic:flash,experts=8"});
  BOOST_TEST(few.at("traffic") == plan.at("traffic"));
  BOOST_TEST(few.at("plan").at("weights").at("copied").to_number<double>() < 12e9);
  // The device is asked when it is named.
  const json::value asked = run_json({"plan", flash, "--backend", "cpu-reference"});
  BOOST_TEST(!asked.at("plan").at("estimate").as_bool());
}

// 86.7 GB fit into few machines that run tests; where they do, nothing is refused.
BOOST_AUTO_TEST_CASE(a_model_that_does_not_fit_is_refused_before_loading) {
  const std::string flash = (folder.path() / "flash.gguf").string();
  test::must(test::write_header_model(flash, test::must(SyntheticSpec::make("flash"))));
  const json::value plan = run_json({"plan", flash, "--backend", "cpu-reference"});
  if (plan.at("plan").at("fits").as_bool()) return;
  const auto begin = std::chrono::steady_clock::now();
  const Finished done =
      start(DS4_RUN, {"-m", flash, "--backend", "cpu-reference", "-p", "Hello", "-n", "1"});
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  BOOST_TEST(done.status == 1, done.err);
  BOOST_TEST(contains(done.err, "ds4-run: the model needs "), done.err);
  BOOST_TEST(contains(done.err, "no context would fit"), done.err);
  BOOST_TEST(!contains(done.err, "ready in"));
  BOOST_TEST_MESSAGE("refused in " << seconds.count() << " s");
  if (!kSanitized) BOOST_TEST(done.cpu_seconds < 2.0);
  // Asked for the plan, it prints that instead.
  const Finished planned = start(DS4_RUN, {"-m", flash, "--backend", "cpu-reference", "--plan"});
  BOOST_TEST(planned.status == 0);
  BOOST_TEST(contains(planned.out, "does not fit: "));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4
