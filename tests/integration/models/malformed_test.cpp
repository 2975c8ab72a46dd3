// Files that strangers made: whatever is wrong with one, the program says so in one line that names
// the file, and ends with status 1.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <fstream>
#include <set>

#include "model/synthetic.hpp"
#include "tests/integration/models/malformed_cases.hpp"
#include "tests/integration/run/process.hpp"
#include "tests/support/runtime.hpp"

namespace ds4::test {
namespace {

constexpr std::size_t kLongestLine = 700;

struct Fixture {
  Fixture() : path(folder.path() / "broken.gguf") {
    const auto good = folder.path() / "good.gguf";
    must(write_synthetic_model(good, must(SyntheticSpec::make("micro"))));
    const GgufFile file = must(GgufFile::open(good));
    base = RawModel::of(file);
  }

  void write(const Bytes& bytes) const {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
    BOOST_TEST_REQUIRE(out.flush().good());
  }

  [[nodiscard]] Finished run(const std::vector<std::string>& arguments) const {
    std::vector<std::string> command = {DS4_RUN, "-m", path.string()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run_process(
        command, "",
        {"DS4_BACKEND_PATH_ONLY=1", std::string("DS4_BACKEND_PATH=") + DS4_BACKEND_FOLDER,
         "HOME=" + folder.path().string()});
  }

  /// Status 1, nothing on stdout, and one line on stderr with the file's name and `expected`.
  void check_refused(const std::vector<std::string>& arguments, const std::string& expected) const {
    const Finished out = run(arguments);
    BOOST_TEST_CONTEXT(arguments.front() << " said: " << out.err) {
      BOOST_TEST(out.status == 1);
      BOOST_TEST(out.out == "");
      BOOST_TEST(std::count(out.err.begin(), out.err.end(), '\n') == 1);
      BOOST_TEST(out.err.starts_with("ds4-run: " + path.string()));
      BOOST_TEST(out.err.find(expected) != std::string::npos);
      BOOST_TEST(out.err.size() < kLongestLine);
      BOOST_TEST(std::all_of(out.err.begin(), out.err.end() - 1,
                             [](char c) { return static_cast<unsigned char>(c) >= ' '; }));
    }
  }

  void check(const std::vector<Malformed>& cases) const {
    for (const Malformed& broken : cases) {
      BOOST_TEST_CONTEXT(broken.name) {
        RawModel model = base;
        broken.edit(model);
        Bytes bytes = model.encode();
        if (broken.cut) broken.cut(bytes);
        write(bytes);
        check_refused({"--dump-tokens", "-p", "x"}, broken.expected);
        check_refused({"-p", "x", "-n", "1", "--backend", "cpu-reference"}, broken.expected);
      }
    }
  }

  TemporaryFolder folder;
  std::filesystem::path path;
  RawModel base;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(malformed_models, Fixture)

// Without this every case below could be refused for the same reason.
BOOST_AUTO_TEST_CASE(the_model_that_is_broken_is_whole) {
  write(base.encode());
  const Finished out = run({"-p", "x", "-n", "1", "--temp", "0", "--backend", "cpu-reference"});
  BOOST_TEST(out.status == 0, out.err);
}

BOOST_AUTO_TEST_CASE(there_are_at_least_sixty_and_no_two_are_the_same) {
  std::set<std::string> names;
  std::set<std::string> edits;
  std::size_t cases = 0;
  for (const auto& list : {broken_bytes(), broken_metadata(), broken_settings(), broken_tensors(),
                           broken_vocabularies()}) {
    for (const Malformed& broken : list) {
      RawModel model = base;
      broken.edit(model);
      Bytes bytes = model.encode();
      if (broken.cut) broken.cut(bytes);
      names.insert(broken.name);
      edits.emplace(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      ++cases;
    }
  }
  BOOST_TEST(cases >= 60U);
  BOOST_TEST(names.size() == cases);
  BOOST_TEST(edits.size() == cases);
}

BOOST_AUTO_TEST_CASE(broken_bytes_are_one_line) {
  check(broken_bytes());
}
BOOST_AUTO_TEST_CASE(broken_metadata_is_one_line) {
  check(broken_metadata());
}
BOOST_AUTO_TEST_CASE(broken_settings_are_one_line) {
  check(broken_settings());
}
BOOST_AUTO_TEST_CASE(broken_tensors_are_one_line) {
  check(broken_tensors());
}
BOOST_AUTO_TEST_CASE(broken_vocabularies_are_one_line) {
  check(broken_vocabularies());
}

BOOST_AUTO_TEST_CASE(a_chat_without_its_markers_is_refused_and_raw_text_is_not) {
  std::vector<std::string> tokens;
  const auto file = GgufFile::open(folder.path() / "good.gguf");
  for (const std::string_view token : must(file->string_array("tokenizer.ggml.tokens"))) {
    tokens.emplace_back(token == "<think>" ? "<thing>" : token);
  }
  RawModel model = base;
  model.set_strings("tokenizer.ggml.tokens", tokens);
  write(model.encode());
  const Finished chat = run({"-p", "x", "-n", "1", "--backend", "cpu-reference"});
  BOOST_TEST_CONTEXT(chat.err) {
    BOOST_TEST(chat.status == 1);
    BOOST_TEST(std::count(chat.err.begin(), chat.err.end(), '\n') == 1);
    BOOST_TEST(chat.err.starts_with("ds4-run: " + path.string()));
    BOOST_TEST(chat.err.find("no control or user-defined token <think>; chat needs") !=
               std::string::npos);
  }
  const Finished raw =
      run({"--raw-prompt", "-p", "x", "-n", "1", "--temp", "0", "--backend", "cpu-reference"});
  BOOST_TEST(raw.status == 0, raw.err);
}

// Every prefix of the head, in steps of a prime: no place where a file may end is special.
BOOST_AUTO_TEST_CASE(a_file_may_end_anywhere) {
  const Bytes whole = base.encode();
  for (std::size_t size = 0; size < whole.size(); size += whole.size() / 23) {
    write({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
    BOOST_TEST_CONTEXT(size << " bytes") {
      check_refused({"--inspect"}, ": offset ");
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::test
