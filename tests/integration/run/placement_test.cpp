// --place through the programs: the answers of one backend, and what is said of wrong placements.
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
namespace data = boost::unit_test::data;
using test::Finished;
using Words = std::vector<std::string>;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The reference, and the same under the name of another backend: a second device.
struct Fixture {
  Fixture() {
    std::string name = (fs::temp_directory_path() / "ds4-place-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder = name;
    model = (folder / "micro.gguf").string();
    const Finished made = test::run_process({DS4_MAKE_MODEL, model, "--shape", "micro"});
    BOOST_REQUIRE_MESSAGE(made.status == 0, made.err);
    const fs::path built = DS4_BACKEND_FOLDER;
    fs::create_directory(folder / "backends");
    fs::permissions(folder / "backends", fs::perms(0755));
    std::string library = read(built / "libds4-backend-cpu-reference.so");
    add("cpu-reference", library);
    // Names of one length, so that nothing in the file moves.
    const std::string from = "cpu-reference";
    const std::string to = "cpu-secondary";
    for (std::size_t at = library.find(from); at != std::string::npos;
         at = library.find(from, at)) {
      library.replace(at, from.size(), to);
    }
    add(to, library);
  }
  ~Fixture() {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  void add(const std::string& name, const std::string& bytes) const {
    const fs::path path = folder / "backends" / ("libds4-backend-" + name + ".so");
    std::ofstream(path, std::ios::binary) << bytes;
    fs::permissions(path, fs::perms(0755));
  }
  [[nodiscard]] Finished run(const Words& words, const char* program = DS4_RUN) const {
    Words command = {program, "-m", model, "--ctx", "512"};
    command.insert(command.end(), words.begin(), words.end());
    return test::run_process(
        command, "",
        {"DS4_BACKEND_PATH_ONLY=1", "DS4_BACKEND_PATH=" + (folder / "backends").string(),
         "HOME=" + folder.string()});
  }
  [[nodiscard]] Finished answer(const Words& more) const {
    Words words = {"-p", "What lies where?", "--temp", "0", "-n", "40", "--nothink"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }

  fs::path folder;
  std::string model;
};

constexpr const char* kPlacements[] = {
    "0-1=cpu-reference,2-3=cpu-secondary",
    "embed=cpu-secondary,0-3=cpu-reference:0,head=cpu-secondary",
    "0=cpu-reference,1=cpu-secondary,2=cpu-reference,3=cpu-secondary,embed=cpu-secondary",
    "0-3=cpu-secondary",
};

struct Wrong {
  const char* place;
  int status;
  const char* line;
};
std::ostream& operator<<(std::ostream& out, const Wrong& wrong) {
  return out << wrong.place;
}
constexpr Wrong kWrong[] = {
    {"0-1=cpu-reference,3=cpu-reference", 2, "ds4-run: --place: layer 2 is placed nowhere\n"},
    {"0-3=cpu-reference,2=cpu-secondary", 2, "ds4-run: --place: layer 2 is placed twice\n"},
    {"0-2=cpu-reference", 2,
     "ds4-run: --place 0-2=cpu-reference: the model has layers 0-3: layer 3 is placed nowhere\n"},
    {"0-42=cpu-reference", 2,
     "ds4-run: --place 0-42=cpu-reference: the model has layers 0-3: layers 4-42 are not in it\n"},
    {"0-3=cpu-reference,", 2, "ds4-run: --place: has an empty part; "},
    {"0-1=cpu-reference,2-3=moon", 3, "ds4-run: --place moon: no file libds4-backend-moon.so "},
    {"0-1=cpu-reference,2-3=cpu-secondary:1", 3,
     "ds4-run: --place cpu-secondary:1: cannot be used: cpu-secondary has 1 devices"},
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(placed_program, Fixture)

BOOST_AUTO_TEST_CASE(answers_are_those_of_one_backend) {
  const Finished one = answer({"--backend", "cpu-reference"});
  BOOST_TEST_REQUIRE(one.status == 0, one.err);
  for (const char* placement : kPlacements) {
    const Finished placed = answer({"--place", placement});
    BOOST_TEST(placed.status == 0, placed.err);
    BOOST_TEST(placed.out == one.out, placement);
  }
  const Finished said = answer({"--place", kPlacements[1]});
  BOOST_TEST(
      contains(said.err, ", placement embed=cpu-secondary,0-3=cpu-reference,head=cpu-secondary, "),
      said.err);
  BOOST_TEST(contains(answer({"--place", kPlacements[3]}).err, ", backend cpu-secondary, "));
}

BOOST_AUTO_TEST_CASE(a_saved_session_does_not_say_where_it_was_computed) {
  const auto save = [this](const std::string& name, const Words& where) {
    const fs::path file = folder / name;
    Words words = {"--kv-save", file.string()};
    words.insert(words.end(), where.begin(), where.end());
    const Finished done = answer(words);
    BOOST_TEST_REQUIRE(done.status == 0, done.err);
    return file;
  };
  const fs::path one = save("one.kv", {"--backend", "cpu-reference"});
  for (const char* placement : kPlacements) {
    BOOST_TEST((read(save("placed.kv", {"--place", placement})) == read(one)), placement);
    const Finished loaded =
        answer({"--place", placement, "--kv-load", one.string(), "--no-timing"});
    const Finished again =
        answer({"--backend", "cpu-reference", "--kv-load", one.string(), "--no-timing"});
    BOOST_TEST(loaded.status == 0, loaded.err);
    BOOST_TEST(loaded.out == again.out);
  }
}

BOOST_DATA_TEST_CASE(wrong_placements_are_refused_in_one_line, data::make(kWrong), wrong) {
  const Finished out = answer({"--place", wrong.place});
  BOOST_TEST(out.status == wrong.status);
  BOOST_TEST(contains(out.err, wrong.line), out.err);
  BOOST_TEST(out.out.empty());
  if (wrong.status == 2) BOOST_TEST(std::count(out.err.begin(), out.err.end(), '\n') == 1);
  const Finished plan = run({"--place", wrong.place, "--plan"});
  BOOST_TEST(plan.status == wrong.status);
  BOOST_TEST(contains(plan.err, wrong.line), plan.err);
}

BOOST_AUTO_TEST_CASE(one_backend_or_a_placement_but_not_both) {
  const Finished both = answer({"--place", kPlacements[0], "--backend", "cpu-reference"});
  BOOST_TEST(both.status == 2);
  BOOST_TEST(both.err ==
             "ds4-run: --place: cannot be used together with --backend cpu-reference; --place "
             "names a backend for each layer\n");
  const Finished twice = answer({"--place", kPlacements[0], "--place", kPlacements[1]});
  BOOST_TEST(twice.status == 2);
  BOOST_TEST(twice.err == "ds4-run: --place is given more than once\n");
}

BOOST_AUTO_TEST_CASE(the_plan_has_a_sum_for_each_device) {
  const Finished text = run({"--place", kPlacements[0], "--plan"});
  BOOST_TEST_REQUIRE(text.status == 0, text.err);
  BOOST_TEST(contains(text.out, "on cpu-reference: embedding, layers 0-1\n"), text.out);
  BOOST_TEST(contains(text.out, "on cpu-secondary: layers 2-3, head\n"), text.out);
  BOOST_TEST(contains(text.out, "sum on cpu-secondary "), text.out);
  BOOST_TEST(contains(text.out, "streams between devices "), text.out);
  for (const char* program : {DS4_RUN, DS4_INSPECT}) {
    const bool is_run = program == std::string(DS4_RUN);
    const Finished out = run({"--place", kPlacements[0], "--plan", "--json"}, program);
    BOOST_TEST_REQUIRE(out.status == 0, out.err);
    const auto parsed = parse_json(out.out);
    BOOST_TEST_REQUIRE(parsed.ok());
    const JsonValue& plan = is_run ? *parsed : *parsed->find("plan");
    const auto number = [](const JsonValue& in, const char* key) {
      return std::stoull(in.find(key)->text);
    };
    const auto& devices = plan.find("devices")->items;
    BOOST_TEST_REQUIRE(devices.size() == 2U);
    BOOST_TEST(devices[0].find("backend")->text == "cpu-reference");
    BOOST_TEST(devices[1].find("backend")->text == "cpu-secondary");
    BOOST_TEST(devices[0].find("runs")->text == "embedding, layers 0-1");
    // Both share the host's memory: everything adds up there.
    BOOST_TEST(number(plan, "host_bytes") ==
               number(*plan.find("weights"), "in_place") + number(devices[0], "bytes") +
                   number(devices[1], "bytes") + number(plan, "staging") + number(plan, "streams") +
                   number(plan, "host_logits") + number(plan, "program"));
    BOOST_TEST(number(plan, "device_bytes") == 0U);
    BOOST_TEST(number(*devices[0].find("weights"), "tensors") +
                   number(*devices[1].find("weights"), "tensors") ==
               number(*plan.find("weights"), "tensors"));
  }
  BOOST_TEST(run({"--place", "0-42=cpu-reference", "--plan"}, DS4_INSPECT).status == 2);
}

BOOST_AUTO_TEST_CASE(a_sweep_names_the_placement_in_one_cell) {
  Words words = {DS4_BENCH,     "-m", model,       "--place",     kPlacements[0],
                 "--ctx-start", "32", "--ctx-max", "64",          "--step-incr",
                 "32",          "-n", "4",         "--probe-mib", "16"};
  const Words environment = {"DS4_BACKEND_PATH_ONLY=1",
                             "DS4_BACKEND_PATH=" + (folder / "backends").string()};
  const Finished swept = test::run_process(words, "", environment);
  BOOST_TEST_REQUIRE(swept.status == 0, swept.err);
  BOOST_TEST(contains(swept.out, ",0-1=cpu-reference 2-3=cpu-secondary\n"), swept.out);
  const std::string titles = swept.out.substr(0, swept.out.find('\n'));
  const std::string last = swept.out.substr(swept.out.rfind('\n', swept.out.size() - 2) + 1);
  BOOST_TEST(std::count(last.begin(), last.end(), ',') ==
             std::count(titles.begin(), titles.end(), ','));
  words[4] = "0-2=cpu-reference";
  const Finished wrong = test::run_process(words, "", environment);
  BOOST_TEST(wrong.status == 2);
  BOOST_TEST(contains(wrong.err, "layer 3 is placed nowhere"), wrong.err);
}

BOOST_AUTO_TEST_CASE(listings_and_reports_show_the_placement) {
  const Finished listing = run({"--place", kPlacements[0], "--list-backends"});
  BOOST_TEST_REQUIRE(listing.status == 0, listing.err);
  BOOST_TEST(contains(listing.out, "cpu-reference  selected"), listing.out);
  BOOST_TEST(contains(listing.out, "cpu-secondary  selected"), listing.out);
  const Finished report = run({"--place", kPlacements[0], "--report"});
  BOOST_TEST_REQUIRE(report.status == 0, report.err);
  BOOST_TEST(contains(report.out, std::string("place ") + kPlacements[0] + ", ctx 512"),
             report.out);
  BOOST_TEST(contains(report.out, std::string("## Plan on ") + kPlacements[0] + "\n"), report.out);
  BOOST_TEST(contains(report.out, "embedding, layers 0-1 on cpu-reference\nops: "), report.out);
  BOOST_TEST(contains(report.out, "layers 2-3, head on cpu-secondary\nops: "), report.out);
  BOOST_TEST(contains(report.out, "cpu-secondary: memory: weights "), report.out);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4
