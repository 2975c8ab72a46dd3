// The program with a broken backend in its folder: the listing says why it is not used, the exit
// status is that of success, and text comes from another backend.
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <functional>
#include <iostream>
#include <map>

#include "bad_cases.hpp"
#include "scene.hpp"
#include "tests/integration/run/process.hpp"

using namespace ds4;
using namespace ds4::plugins;
using namespace ds4::tests;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

/// A micro model, made once for all tests.
const std::string& model() {
  static const Scene folder;
  static const std::string file = [] {
    const std::string path = (folder.root() / "micro.gguf").string();
    const auto made = test::run_process({DS4_MAKE_MODEL, path, "--shape", "micro"});
    if (made.status != 0) throw std::runtime_error(made.err);
    return path;
  }();
  return file;
}

/// ds4-run that sees the given folders and the reference backend of the build tree, no other.
test::Finished run(const Scene& scene, const std::vector<fs::path>& folders,
                   const std::vector<std::string>& more) {
  std::vector<std::string> command = {DS4_RUN};
  for (const fs::path& folder : folders) {
    command.insert(command.end(), {"--backend-path", folder.string()});
  }
  command.insert(command.end(), {"--backend-path", DS4_REFERENCE});
  command.insert(command.end(), more.begin(), more.end());
  return test::run_process(
      command, "",
      {"DS4_BACKEND_PATH_ONLY=1", "DS4_BACKEND_PATH=", "HOME=" + scene.root().string(),
       "XDG_CACHE_HOME=" + scene.directory("cache").string()});
}

struct Listed {
  std::string state, reason, text;
};

/// What the listing says of each file, by path.
std::map<std::string, Listed> listing(const Scene& scene, const std::vector<fs::path>& folders) {
  const test::Finished done = run(scene, folders, {"--list-backends=json"});
  BOOST_TEST_REQUIRE(done.status == 0, done.err);
  std::map<std::string, Listed> out;
  const json::value whole = json::parse(done.out);
  for (const json::value& entry : whole.at("backends").as_array()) {
    const auto text = [&](const char* key) {
      const json::value* found = entry.as_object().if_contains(key);
      return found != nullptr && found->is_string() ? std::string(found->get_string())
                                                    : std::string();
    };
    out[text("path")] = {text("state"), text("reason"), text("text")};
  }
  return out;
}

/// The same of the file `good` in one folder, which an earlier one of that name would shadow.
Listed listed_alone(const Scene& scene, const fs::path& folder) {
  return listing(scene, {folder})[(folder / file_name("good")).string()];
}

void expect_text(const Scene& scene, const std::vector<fs::path>& folders,
                 const std::string& backend = "auto") {
  const test::Finished done = run(scene, folders,
                                  {"-m", model(), "-p", "Hello", "-n", "4", "--ctx", "256",
                                   "--temp", "0", "--nothink", "--backend", backend});
  BOOST_TEST(done.status == 0, done.err);
  BOOST_TEST(done.out.size() > 1u);
}

void show(const std::string& name, const Listed& listed) {
  std::printf("%-22s %-10s %-14s %s\n", name.c_str(), listed.state.c_str(), listed.reason.c_str(),
              listed.text.c_str());
}

std::string patched(std::size_t offset, char value) {
  std::string bytes = read_file(built_backend("good"));
  bytes.at(offset) = value;
  return bytes;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(program)

BOOST_AUTO_TEST_CASE(all_broken_backends_at_once_are_listed_with_their_reasons_and_stop_nobody) {
  Scene scene;
  for (const BadCase& bad : kBadCases) scene.add(bad.name);
  auto found = listing(scene, {scene.directory("a")});
  for (const BadCase& bad : kBadCases) {
    const Listed listed = found[(scene.directory("a") / file_name(bad.name)).string()];
    show(bad.name, listed);
    BOOST_TEST(listed.reason == reason_name(bad.reason), bad.name << ": " << listed.text);
    BOOST_TEST(listed.text.find(bad.text) != std::string::npos, bad.name << ": " << listed.text);
    BOOST_TEST((listed.state == "refused" || listed.state == "no device"), bad.name);
  }
  expect_text(scene, {scene.directory("a")});
}

BOOST_AUTO_TEST_CASE(
    a_broken_backend_that_was_asked_for_ends_the_program_with_status_3_and_its_reason) {
  Scene scene;
  for (const BadCase& bad : kBadCases) scene.add(bad.name);
  for (const BadCase& bad : kBadCases) {
    const test::Finished done =
        run(scene, {scene.directory("a")}, {"-m", model(), "-p", "Hello", "--backend", bad.name});
    BOOST_TEST(done.status == 3, bad.name << ": " << done.err);
    BOOST_TEST(done.out.empty(), bad.name);
    BOOST_TEST(done.err.find(reason_name(bad.reason)) != std::string::npos, done.err);
    BOOST_TEST(done.err.find(bad.text) != std::string::npos, done.err);
  }
}

BOOST_AUTO_TEST_CASE(with_nothing_but_broken_backends_the_status_is_4_and_the_table_is_shown) {
  Scene scene;
  for (const BadCase& bad : kBadCases) scene.add(bad.name);
  const test::Finished done = test::run_process(
      {DS4_RUN, "-m", model(), "-p", "Hello"}, "",
      {"DS4_BACKEND_PATH_ONLY=1", "DS4_BACKEND_PATH=" + scene.directory("a").string(),
       "HOME=" + scene.root().string(), "XDG_CACHE_HOME=" + scene.directory("cache").string()});
  BOOST_TEST(done.status == 4, done.err);
  for (const BadCase& bad : kBadCases) {
    BOOST_TEST(done.err.find(bad.name) != std::string::npos, bad.name << " in " << done.err);
  }
}

// Opening such a file may crash: that happens in a process of its own.
BOOST_AUTO_TEST_CASE(files_with_random_damage_in_their_headers_stop_nobody) {
  Scene scene;
  const std::string whole = read_file(built_backend("good"));
  std::vector<fs::path> folders;
  std::uint32_t random = 12345;
  const auto next = [&random] { return random = random * 1664525u + 1013904223u; };
  for (int i = 0; i < 16; ++i) {
    std::string damaged = whole;
    for (int n = 0; n < 3; ++n)
      damaged[64 + (next() >> 8) % 1024] = static_cast<char>(next() >> 24);
    folders.push_back(scene.directory("damage" + std::to_string(i)));
    write_file(folders.back() / file_name("good"), damaged);
  }
  std::size_t refused = 0;
  for (const fs::path& folder : folders) {
    const Listed listed = listed_alone(scene, folder);
    show(folder.filename().string(), listed);
    BOOST_TEST(!listed.state.empty());
    BOOST_TEST((listed.state != "refused" || !listed.reason.empty()));
    refused += listed.state == "refused" ? 1 : 0;
  }
  BOOST_TEST(refused > 0u);
  expect_text(scene, folders, "cpu-reference");
}

BOOST_AUTO_TEST_CASE(what_is_no_backend_at_all_is_listed_with_its_reason_and_stops_nobody) {
  Scene scene;
  struct Made {
    const char* name;
    const char* reason;
    std::function<void(const fs::path&)> make;
  };
  const auto content = [](std::string bytes) {
    return [bytes](const fs::path& file) { write_file(file, bytes); };
  };
  const std::string whole = read_file(built_backend("good"));
  std::vector<Made> cases = {
      {"empty", "not-a-file", content("")},
      {"text", "not-elf", content(std::string(8192, 'x'))},
      {"small-text", "not-a-file", content("no backend\n")},
      {"folder", "not-a-file", [](const fs::path& file) { fs::create_directory(file); }},
      {"fifo", "not-a-file", [](const fs::path& file) { ::mkfifo(file.c_str(), 0644); }},
      {"dangling", "not-a-file",
       [](const fs::path& file) { fs::create_symlink("/nowhere/at/all", file); }},
      {"bits-32", "wrong-arch", content(patched(4, 1))},
      {"other-machine", "wrong-arch", content(patched(18, 8))},
      {"renamed", "name-mismatch", content(whole)},
      {"writable-file", "bad-mode",
       [&](const fs::path& file) {
         write_file(file, whole);
         fs::permissions(file, fs::perms(0666));
       }},
  };
  if (::geteuid() == 0) {
    cases.push_back({"foreign", "bad-owner", [&](const fs::path& file) {
                       write_file(file, whole);
                       if (::chown(file.c_str(), 12345, 12345) != 0) std::perror("chown");
                     }});
  }
  for (const Made& made : cases) made.make(scene.directory("a") / file_name(made.name));
  // The folder of the file itself can be written by everybody.
  const fs::path open_folder = scene.add("good", "open").parent_path();
  fs::permissions(open_folder, fs::perms(0777));

  auto found = listing(scene, {scene.directory("a"), open_folder});
  for (const Made& made : cases) {
    const Listed listed = found[(scene.directory("a") / file_name(made.name)).string()];
    show(made.name, listed);
    BOOST_TEST(listed.reason == made.reason, made.name << ": " << listed.text);
  }
  const Listed listed = found[(open_folder / file_name("good")).string()];
  show("writable-folder", listed);
  BOOST_TEST(listed.reason == "bad-parent", listed.text);
  expect_text(scene, {scene.directory("a"), open_folder});
}

BOOST_AUTO_TEST_CASE(a_backend_cut_at_20_places_is_refused_or_whole_in_what_is_loaded) {
  Scene scene;
  const std::string whole = read_file(built_backend("good"));
  std::vector<fs::path> folders;
  for (std::size_t i = 0; i < 20; ++i) {
    folders.push_back(scene.directory("cut" + std::to_string(i)));
    write_file(folders.back() / file_name("good"),
               whole.substr(0, whole.size() * (2 * i + 1) / 40));
  }
  std::size_t truncated = 0;
  for (const fs::path& folder : folders) {
    const Listed listed = listed_alone(scene, folder);
    show(folder.filename().string(), listed);
    const bool is_whole = listed.state == "usable";
    const bool is_small =
        listed.reason == "not-a-file" && listed.text.find("bytes") != listed.text.npos;
    BOOST_TEST((is_whole || is_small || listed.reason == "truncated"), listed.text);
    truncated += listed.reason == "truncated" ? 1 : 0;
  }
  BOOST_TEST(truncated > 0u);
  expect_text(scene, folders, "cpu-reference");
}

BOOST_AUTO_TEST_CASE(of_two_files_with_one_name_the_later_is_listed_as_shadowed) {
  Scene scene;
  const fs::path first = scene.add("good", "a");
  const fs::path second = scene.add("good", "b");
  auto found = listing(scene, {scene.directory("a"), scene.directory("b")});
  show("the first", found[first.string()]);
  show("the second", found[second.string()]);
  BOOST_TEST(found[first.string()].state == "usable");
  BOOST_TEST(found[second.string()].state == "shadowed");
  expect_text(scene, {scene.directory("a"), scene.directory("b")}, "cpu-reference");
}

BOOST_AUTO_TEST_CASE(a_changed_floating_point_register_does_not_reach_the_model) {
  Scene scene;
  scene.add("fp-control");
  auto found = listing(scene, {scene.directory("a")});
  const Listed listed = found[(scene.directory("a") / file_name("fp-control")).string()];
  show("fp-control", listed);
  BOOST_TEST(listed.state == "usable");
  expect_text(scene, {scene.directory("a")}, "cpu-reference");
}

BOOST_AUTO_TEST_CASE(a_decoy_in_the_current_directory_is_not_mentioned) {
  Scene scene;
  scene.add("good", "decoy");
  const fs::path before = fs::current_path();
  fs::current_path(scene.root() / "decoy");
  const test::Finished done = run(scene, {}, {"--list-backends=verbose"});
  fs::current_path(before);
  BOOST_TEST(done.status == 0);
  BOOST_TEST(done.out.find("good") == std::string::npos, done.out);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(program_each)

BOOST_DATA_TEST_CASE(a_broken_backend_alone_beside_the_reference_stops_nobody,
                     boost::unit_test::data::make(kBadCases), bad) {
  Scene scene;
  scene.add(bad.name);
  auto found = listing(scene, {scene.directory("a")});
  BOOST_TEST(found[(scene.directory("a") / file_name(bad.name)).string()].reason ==
             reason_name(bad.reason));
  expect_text(scene, {scene.directory("a")});
}

BOOST_AUTO_TEST_CASE(a_backend_that_hangs_while_it_is_opened_is_ended_and_stops_nobody) {
  Scene scene;
  scene.add("sleeps-in-ctor");
  auto found = listing(scene, {scene.directory("a")});
  const Listed listed = found[(scene.directory("a") / file_name("sleeps-in-ctor")).string()];
  show("sleeps-in-ctor", listed);
  BOOST_TEST(listed.reason == "probe", listed.text);
  BOOST_TEST(listed.text.find("within 10") != std::string::npos, listed.text);
  expect_text(scene, {scene.directory("a")});
}

BOOST_AUTO_TEST_SUITE_END()
