// Sessions across processes: what one ds4-run saves, the next one loads.
#include <boost/test/unit_test.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/integration/run/process.hpp"
#include "tests/support/damaged_snapshots.hpp"
#include "tokenizer/json_text.hpp"

namespace ds4 {
namespace {

namespace fs = std::filesystem;
using test::Finished;
using Words = std::vector<std::string>;

constexpr const char* kText =
    "The first run reads all of this, and what the second run asks begins with the same words. "
    "Some more of them make it longer than a window, than a compressed row of either kind, than a "
    "page of compressed rows and than one chunk of a prefill. ";

struct Fixture {
  Fixture() {
    std::string name = (fs::temp_directory_path() / "ds4-run-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder = name;
    model = (folder / "micro.gguf").string();
    saved = (folder / "session.kv").string();
    const Finished made = test::run_process({DS4_MAKE_MODEL, model, "--shape", "micro"});
    BOOST_REQUIRE_MESSAGE(made.status == 0, made.err);
  }
  ~Fixture() {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  [[nodiscard]] Finished run(const Words& more, const std::string& input = "") const {
    Words words = {DS4_RUN,  "-m", model,   "--backend", "cpu-reference",
                   "--temp", "0",  "--ctx", "2048",      "--nothink"};
    words.insert(words.end(), more.begin(), more.end());
    return test::run_process(
        words, input,
        {"DS4_BACKEND_PATH_ONLY=1", std::string("DS4_BACKEND_PATH=") + DS4_BACKEND_FOLDER,
         "HOME=" + folder.string()});
  }
  static std::string text_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  fs::path folder;
  std::string model, saved;
};

// The number of prompt tokens that a run did not evaluate, and its text.
std::pair<long, std::string> cached_and_text(const Finished& run) {
  BOOST_REQUIRE_MESSAGE(run.status == 0, run.err);
  const auto value = parse_json(run.out);
  BOOST_REQUIRE(value);
  return {std::strtol(value->find("timings")->find("cached_tokens")->text.c_str(), nullptr, 10),
          value->find("text")->text};
}

long prompt_tokens(const Finished& run) {
  return std::strtol(parse_json(run.out)->find("prompt_tokens")->text.c_str(), nullptr, 10);
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(session_files, Fixture)

BOOST_AUTO_TEST_CASE(a_new_process_answers_as_one_that_never_stopped) {
  std::string text;
  for (int i = 0; i < 8; ++i) text += kText;
  const Finished first = run({"-p", text, "-n", "24", "--json", "--kv-save", saved});
  const auto [nothing, answer] = cached_and_text(first);
  BOOST_TEST(nothing == 0);
  const long prompt = prompt_tokens(first);
  BOOST_TEST(prompt > 1100);

  // The same prompt: all but its last token is there.
  const auto [same, again] =
      cached_and_text(run({"-p", text, "-n", "24", "--json", "--kv-load", saved}));
  BOOST_TEST(same == prompt - 1);
  BOOST_TEST(again == answer);

  // Another end of the prompt goes on from a state within, and ends as without one.
  const std::string other = text + "Only the question is new.";
  const auto [cold, expected] = cached_and_text(run({"-p", other, "-n", "24", "--json"}));
  const auto [part, warm] =
      cached_and_text(run({"-p", other, "-n", "24", "--json", "--kv-load", saved}));
  BOOST_TEST(cold == 0);
  BOOST_TEST(part >= 1023);
  BOOST_TEST(warm == expected);

  // To the last bit.
  const std::string cold_logits = (folder / "cold.json").string();
  const std::string warm_logits = (folder / "warm.json").string();
  BOOST_TEST(run({"-p", other, "--dump-logits", cold_logits}).status == 0);
  BOOST_TEST(run({"-p", other, "--dump-logits", warm_logits, "--kv-load", saved}).status == 0);
  BOOST_TEST(!text_of(cold_logits).empty());
  BOOST_TEST(text_of(cold_logits) == text_of(warm_logits));
}

BOOST_AUTO_TEST_CASE(a_chat_is_saved_at_its_end_and_a_strange_prompt_is_told_so) {
  const Finished chat = run({"--chat", "-n", "6", "--kv-save", saved}, "one\ntwo\n");
  BOOST_TEST_REQUIRE(chat.status == 0, chat.err);
  BOOST_TEST(fs::file_size(saved) > 1000U);
  const Finished again =
      run({"--chat", "-n", "6", "--kv-load", saved, "--kv-save", saved}, "one\n");
  BOOST_TEST_REQUIRE(again.status == 0, again.err);
  BOOST_TEST(again.err.find(" prompt tokens (0 cached)") == std::string::npos, again.err);
  const Finished strange = run({"--raw-prompt", "-p", "x", "-n", "2", "--kv-load", saved});
  BOOST_TEST(strange.status == 0);
  BOOST_TEST(strange.err.find("is a beginning of this prompt") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(damaged_files_cost_one_line_and_status_1) {
  BOOST_TEST_REQUIRE(run({"-p", kText, "-n", "4", "--kv-save", saved}).status == 0);
  const std::string text = text_of(saved);
  std::vector<std::byte> good(text.size());
  std::transform(text.begin(), text.end(), good.begin(), [](char c) { return std::byte(c); });
  const fs::path file = folder / "damaged.kv";
  const auto all = test::damaged_snapshots(good);
  BOOST_TEST(all.size() >= 40U);
  for (const test::DamagedSnapshot& damaged : all) {
    BOOST_TEST_CONTEXT(damaged.what) {
      std::ofstream(file, std::ios::binary)
          .write(reinterpret_cast<const char*>(damaged.bytes.data()),
                 static_cast<std::streamsize>(damaged.bytes.size()));
      const Finished refused = run({"-p", "x", "-n", "2", "--kv-load", file.string()});
      BOOST_TEST(refused.status == 1);
      BOOST_TEST(refused.out == "");
      const std::string prefix = "ds4-run: " + file.string() + ": ";
      const std::size_t at = refused.err.find(prefix);
      BOOST_TEST_REQUIRE(at != std::string::npos, refused.err);
      BOOST_TEST(refused.err.find('\n', at) == refused.err.size() - 1);
      BOOST_TEST(refused.err.find("ds4-run: ", at + 1) == std::string::npos);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_link_keeps_leading_to_the_session_that_is_saved_through_it) {
  const fs::path link = folder / "link.kv";
  const fs::path target = folder / "target.kv";
  std::ofstream(target) << "old";
  fs::create_symlink(target, link);
  BOOST_TEST(run({"-p", "x", "-n", "2", "--kv-save", link.string()}).status == 0);
  BOOST_TEST(fs::is_symlink(link));
  BOOST_TEST(fs::file_size(target) > 1000U);
}

BOOST_AUTO_TEST_CASE(files_that_cannot_be_used_are_named_before_the_work) {
  const auto refused = [this](const Words& words, int status, const std::string& part) {
    const Finished out = run(words);
    BOOST_TEST(out.status == status);
    BOOST_TEST(out.err.find(part) != std::string::npos, out.err);
  };
  const std::string nowhere = (folder / "no/such.kv").string();
  refused({"-p", "x", "--kv-load", nowhere}, 1, nowhere + ": cannot be opened");
  refused({"-p", "x", "--kv-save", nowhere}, 1, "no session can be saved there");
  refused({"-p", "x", "--kv-save", folder.string()}, 1, "is a folder; name a file");
  refused({"-p", "x", "--kv-load", model}, 1, "is no saved session");
  const std::string pipe = (folder / "pipe").string();
  BOOST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  refused({"-p", "x", "--kv-save", pipe}, 1, "is no regular file");
  BOOST_TEST(fs::is_fifo(pipe));
  refused({"--inspect", "--kv-load", saved}, 2, "--kv-load cannot be used together with --inspect");
  refused({"-p", "x", "--kv-save", ""}, 2, "--kv-save");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4
