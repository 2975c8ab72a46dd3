#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/integration/run/process.hpp"
#include "tokenizer/json_text.hpp"

namespace ds4 {
namespace {

namespace fs = std::filesystem;
using test::Finished;
using Words = std::vector<std::string>;

/// A folder with the micro model, and the backend of the build tree by its path, so that the tests
/// see no other backend of the machine.
struct Fixture {
  Fixture() {
    std::string name = (fs::temp_directory_path() / "ds4-run-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder = name;
    model = (folder / "micro.gguf").string();
    const Finished made = test::run_process({DS4_MAKE_MODEL, model, "--shape", "micro"});
    BOOST_REQUIRE_MESSAGE(made.status == 0, made.err);
  }
  ~Fixture() {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }

  [[nodiscard]] Words environment() const {
    return {"DS4_BACKEND_PATH_ONLY=1", std::string("DS4_BACKEND_PATH=") + DS4_BACKEND_FOLDER,
            "HOME=" + folder.string(), "TERM=xterm"};
  }
  [[nodiscard]] Words command(const Words& arguments) const {
    Words words = {DS4_RUN};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return words;
  }
  [[nodiscard]] Finished run(const Words& arguments, const std::string& input = "") const {
    return test::run_process(command(arguments), input, environment());
  }
  // The arguments of a short greedy answer.
  [[nodiscard]] Words with_model(const Words& more) const {
    Words words = {"-m",  model, "--backend", "cpu-reference", "--temp", "0", "--ctx",
                   "512", "-n",  "8"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  static std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  fs::path folder;
  std::string model;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(ds4_run, Fixture)

BOOST_AUTO_TEST_CASE(one_prompt_is_answered_on_stdout_and_timed_on_stderr) {
  const Finished first = run(with_model({"-p", "Hello", "--nothink"}));
  BOOST_TEST_REQUIRE(first.status == 0, first.err);
  BOOST_TEST(!first.out.empty());
  BOOST_TEST(first.out.back() == '\n');
  BOOST_TEST(!contains(first.out, "\x1b"));
  BOOST_TEST(contains(first.err, "ds4: prefill: "));
  BOOST_TEST(contains(first.err, "context: 512 tokens, "));
  BOOST_TEST(contains(first.err, "ready in "));
  BOOST_TEST(run(with_model({"-p", "Hello", "--nothink"})).out == first.out);
  BOOST_TEST(!contains(run(with_model({"-p", "Hello", "--no-timing"})).err, "prefill:"));
}

BOOST_AUTO_TEST_CASE(piped_text_is_the_prompt_or_follows_it) {
  const Words json = {"--json", "--nothink"};
  const Finished direct = run(with_model({"-p", "ab\n\ncd", "--json", "--nothink"}));
  const Finished joined = run(with_model({"-p", "ab", "--json", "--nothink"}), "cd");
  const Finished piped = run(with_model(json), "ab\n\ncd");
  const Finished named = run(with_model({"--prompt-file", "-", "--json", "--nothink"}), "ab\n\ncd");
  const auto text = [](const Finished& run) {
    const auto value = parse_json(run.out);
    BOOST_REQUIRE_MESSAGE(value, run.err);
    return value->find("text")->text + "/" + value->find("prompt_tokens")->text;
  };
  BOOST_TEST(text(joined) == text(direct));
  BOOST_TEST(text(piped) == text(direct));
  BOOST_TEST(text(named) == text(direct));
}

BOOST_AUTO_TEST_CASE(tokens_are_dumped_without_a_backend) {
  const Finished out = test::run_process(command({"-m", model, "--dump-tokens", "-p", "<think>a"}),
                                         "", {"DS4_BACKEND_PATH_ONLY=1", "DS4_BACKEND_PATH="});
  BOOST_TEST_REQUIRE(out.status == 0, out.err);
  BOOST_TEST(out.out.front() == '[');
  BOOST_TEST(contains(out.out, "  <think>\n"));
  BOOST_TEST(contains(out.out, "  a\n"));
}

BOOST_AUTO_TEST_CASE(logprobs_and_logits_are_json_that_agrees) {
  const std::string logprobs = (folder / "logprobs.json").string();
  const std::string logits = (folder / "logits.json").string();
  const Finished one = run(with_model({"-p", "x", "--dump-logprobs", logprobs}));
  BOOST_TEST_REQUIRE(one.status == 0, one.err);
  BOOST_TEST(one.out == "");
  const Finished two = run(with_model({"-p", "x", "--dump-logits", logits}));
  BOOST_TEST_REQUIRE(two.status == 0, two.err);
  const auto steps = parse_json(read(logprobs));
  const auto row = parse_json(read(logits));
  BOOST_REQUIRE(steps && row);
  const JsonValue& first = steps->find("steps")->items.front();
  BOOST_TEST(first.find("top_logprobs")->items.size() == 20U);
  BOOST_TEST(first.find("selected")->find("id")->text ==
             row->find("argmax_token")->find("id")->text);
  BOOST_TEST(first.find("top_logprobs")->items[0].find("logit")->text ==
             row->find("argmax_logit")->text);
  BOOST_TEST(std::to_string(row->find("logits")->items.size()) == row->find("vocab")->text);
}

BOOST_AUTO_TEST_CASE(perplexity_in_windows_and_token_by_token_print_one_line) {
  const std::string text = (folder / "text.txt").string();
  std::ofstream(text) << std::string(300, 'q') << " and some more words to score here.";
  const Finished plain = run(with_model({"--perplexity-file", text}));
  BOOST_TEST(plain.status == 0, plain.err);
  BOOST_TEST(contains(plain.out, " scored=8 nll="));
  const Finished windows = run(with_model({"--perplexity-file", text, "--ppl-chunks=32"}));
  BOOST_TEST(windows.status == 0, windows.err);
  BOOST_TEST(contains(windows.out, " window=32\n"));
  BOOST_TEST(contains(windows.err, "[1]"));
}

BOOST_AUTO_TEST_CASE(decoded_and_prefilled_logits_are_compared_on_stderr) {
  const Finished out = run(with_model({"-p", "x", "--decode-consistency", "4"}));
  BOOST_TEST(out.status == 0, out.err);
  BOOST_TEST(contains(out.err, "max abs difference "));
}

BOOST_AUTO_TEST_CASE(a_model_is_summed_up_and_reported) {
  const Finished inspect = run({"-m", model, "--inspect"});
  BOOST_TEST(inspect.status == 0, inspect.err);
  BOOST_TEST(contains(inspect.out, "architecture: deepseek4\n"));
  const Finished report = run(with_model({"--report"}));
  BOOST_TEST(report.status == 0, report.err);
  BOOST_TEST(contains(report.out, "header sha256: "));
  BOOST_TEST(contains(report.out, "memory: weights "));
  BOOST_TEST(!contains(report.out, folder.string()));
}

BOOST_AUTO_TEST_CASE(bad_usage_is_one_line_and_status_2) {
  const Finished value = run({"--ctx", "none"});
  BOOST_TEST(value.status == 2);
  BOOST_TEST(value.err == "ds4-run: --ctx: expected an integer from 1 to 2147483647, got 'none'\n");
  const Finished unknown = run({"--nonesuch"});
  BOOST_TEST(unknown.status == 2);
  BOOST_TEST(unknown.err.starts_with("ds4-run: unknown option --nonesuch\nusage: ds4-run "));
  const Finished later = run({"--mtp", "x.gguf"});
  BOOST_TEST(later.status == 2);
  BOOST_TEST(later.err == "ds4-run: --mtp: this version does not have speculative decoding\n");
  BOOST_TEST(run({"--help"}).status == 0);
  BOOST_TEST(run({"--version"}).out.starts_with("ds4-run "));
}

BOOST_AUTO_TEST_CASE(a_missing_model_says_how_to_name_one) {
  const Finished out = run({"-m", "/nowhere/model.gguf", "-p", "x"});
  BOOST_TEST(out.status == 1);
  BOOST_TEST(contains(out.err, "there is no model file /nowhere/model.gguf; name one with -m"));
}

BOOST_AUTO_TEST_CASE(a_backend_is_there_while_its_file_is) {
  const fs::path drop = folder / "backends";
  fs::create_directory(drop);
  const fs::path file = drop / "libds4-backend-cpu-reference.so";
  fs::copy_file(fs::path(DS4_BACKEND_FOLDER) / file.filename(), file);
  const Words environment = {"DS4_BACKEND_PATH_ONLY=1",
                             "DS4_BACKEND_PATH=", "HOME=" + folder.string()};
  const Words arguments = with_model({"--backend-path", drop.string(), "-p", "x"});
  const Finished with = test::run_process(command(arguments), "", environment);
  BOOST_TEST(with.status == 0, with.err);
  BOOST_TEST(contains(with.err, "cpu-reference is the correctness backend"));
  fs::remove(file);
  const Finished without = test::run_process(command(arguments), "", environment);
  BOOST_TEST(without.status == 3, without.err);
  BOOST_TEST(contains(without.err, "cpu-reference"));
  Words any = arguments;
  *(std::find(any.begin(), any.end(), "cpu-reference")) = "auto";
  BOOST_TEST(test::run_process(command(any), "", environment).status == 4);
}

BOOST_AUTO_TEST_CASE(backends_are_listed_for_people_and_machines) {
  const Finished table = run({"--list-backends"});
  BOOST_TEST(table.status == 0);
  BOOST_TEST(contains(table.out, "cpu-reference"));
  const Finished json = run({"--list-backends=json"});
  BOOST_TEST(json.status == 0);
  BOOST_TEST(parse_json(json.out).ok(), json.out);
}

BOOST_AUTO_TEST_CASE(an_interrupt_ends_an_answer_cleanly) {
  Words words = {DS4_RUN,
                 "-m",
                 model,
                 "--backend-path",
                 DS4_BACKEND_FOLDER,
                 "--backend",
                 "cpu-reference",
                 "--ctx",
                 "100000",
                 "--logit-bias",
                 "1=-100",
                 "--raw-prompt",
                 "-p",
                 "x"};
  const Finished out = test::interrupt_process(words);
  BOOST_TEST(out.status == 130, out.err);
  BOOST_TEST(contains(out.err, "ds4: prefill: "));
}

BOOST_AUTO_TEST_CASE(chat_without_a_terminal_takes_a_line_a_turn) {
  const std::string saved = (folder / "saved.txt").string();
  const Finished out = run(with_model({"--chat", "--nothink"}),
                           "one\n//two\n/undo\n/nonesuch\n/ctx 600\nthree\n/save " + saved +
                               "\n/status\n/quit\nnever\n");
  BOOST_TEST(contains(out.err, "there is no command /nonesuch; /help lists them"));
  BOOST_TEST(contains(out.err, "context: 600 tokens"));
  const std::string text = read(saved);
  BOOST_TEST(contains(text, "user 3\none\n"));
  BOOST_TEST(!contains(text, "/two"));
  BOOST_TEST(contains(text, "user 5\nthree\n"));
  BOOST_TEST(!contains(out.out + out.err, "ds4> "));
}

BOOST_AUTO_TEST_CASE(chat_on_a_terminal_edits_pastes_and_remembers) {
  const std::string saved = (folder / "saved.txt").string();
  test::TerminalProcess chat(command(with_model({"--nothink"})), environment());
  BOOST_TEST_REQUIRE(chat.wait_for_prompt(), chat.output());
  chat.type("\x1b[200~first\rsecond\x1b[201~\r");
  BOOST_TEST(chat.wait_for("t/s"), chat.output());
  BOOST_TEST(chat.wait_for_prompt(), chat.output());
  chat.type("dropped\x03");
  BOOST_TEST(chat.wait_for_prompt(), chat.output());
  chat.type("back\\\rslash\r");
  BOOST_TEST(chat.wait_for("t/s"), chat.output());
  BOOST_TEST(chat.wait_for_prompt(), chat.output());
  chat.type("/save " + saved + "\r");
  BOOST_TEST(chat.wait_for("saved 2 turns"), chat.output());
  BOOST_TEST(chat.wait_for_prompt(), chat.output());
  chat.type("\x04");
  BOOST_TEST(chat.finish() == 0);
  const std::string text = read(saved);
  BOOST_TEST(contains(text, "user 12\nfirst\nsecond\n"), text);
  BOOST_TEST(contains(text, "user 10\nback\nslash\n"), text);
  BOOST_TEST(fs::exists(folder / ".ds4_history"));
}

BOOST_AUTO_TEST_CASE(an_interrupt_in_a_chat_comes_back_to_the_prompt) {
  test::TerminalProcess chat(command({"-m", model, "--backend", "cpu-reference", "--ctx", "100000",
                                      "--logit-bias", "1=-100"}),
                             environment());
  BOOST_TEST_REQUIRE(chat.wait_for_prompt(), chat.output());
  chat.type("talk\r");
  // Grey is the answer's thinking: the line editor, which takes Ctrl+C as a key, is over by then.
  BOOST_TEST_REQUIRE(chat.wait_for("\x1b[90m"), chat.output());
  chat.type("\x03");
  BOOST_TEST(chat.wait_for("t/s"), chat.output());
  BOOST_TEST(chat.wait_for_prompt(), chat.output());
  chat.type("/quit\r");
  BOOST_TEST(chat.finish() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4
