// Which file wins, what a request stands for, and what is shown.
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "loader/probe.hpp"
#include "scene.hpp"

using namespace ds4;
using namespace ds4::plugins;
using namespace ds4::tests;
namespace fs = std::filesystem;

BOOST_AUTO_TEST_SUITE(registry)

BOOST_AUTO_TEST_CASE(the_earlier_of_two_directories_wins_and_shadows_the_later) {
  Scene scene;
  const fs::path first = scene.add("good", "a");
  scene.add("good", "b");
  BackendSearchOptions options = scene.options();
  options.explicit_paths.push_back(scene.directory("b"));
  const Registry found = scene.scan(options);
  BOOST_REQUIRE_EQUAL(found.candidates().size(), 2u);
  BOOST_TEST(found.candidates()[0].path == first);
  BOOST_TEST((found.candidates()[1].state == CandidateState::shadowed));
  BOOST_TEST(found.listing(ListingStyle::table).find("shadowed by " + first.string()) !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_refused_file_of_a_directory_does_not_hide_a_later_one) {
  Scene scene;
  scene.add("score-high", "a", "good");
  const fs::path second = scene.add("good", "b");
  BackendSearchOptions options = scene.options();
  options.explicit_paths.push_back(scene.directory("b"));
  const auto selected = scene.scan(options).select("good");
  BOOST_REQUIRE(selected.ok());
  BOOST_TEST(selected->backend->library().path() == second);
}

BOOST_AUTO_TEST_CASE(a_file_named_by_the_user_wins_with_a_notice) {
  Scene scene;
  scene.add("good", "a");
  const fs::path named = scene.add("good", "b");
  BackendSearchOptions options = scene.options();
  options.explicit_paths.push_back(named);
  const auto selected = scene.scan(options).select("good");
  BOOST_REQUIRE(selected.ok());
  BOOST_TEST(selected->backend->library().path() == named);
  BOOST_REQUIRE_EQUAL(scene.log.size(), 1u);
  BOOST_TEST(scene.log[0].find("is used in place of") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_same_file_by_two_routes_is_listed_once) {
  Scene scene;
  scene.add("good", "a");
  BackendSearchOptions options = scene.options();
  options.explicit_paths.push_back(scene.directory("a"));
  BOOST_TEST(scene.scan(options).candidates().size() == 1u);
}

BOOST_AUTO_TEST_CASE(the_current_directory_and_relative_entries_are_never_searched) {
  Scene scene;
  scene.add("good", "decoy");
  const fs::path before = fs::current_path();
  fs::current_path(scene.root() / "decoy");
  BackendSearchOptions options;
  options.explicit_paths = {".", file_name("good")};
  options.environment_path = "relative:";
  options.environment_only = true;
  const Registry found = scene.scan(options);
  fs::current_path(before);
  BOOST_TEST(found.candidates().empty());
  BOOST_REQUIRE_EQUAL(found.directories().size(), 3u);
  for (const SearchedDirectory& directory : found.directories()) {
    BOOST_TEST(directory.skipped == "is a relative path; give an absolute one");
  }
}

BOOST_AUTO_TEST_CASE(a_privileged_program_looks_into_the_install_directory_only) {
  Scene scene;
  scene.add("good", "a");
  scene.add("isa", "installed");
  BackendSearchOptions options = scene.options();
  options.environment_only = false;
  options.environment_path = scene.directory("a").string();
  options.user_data_directory = scene.directory("a");
  options.executable = scene.root() / "bin/program";
  options.install_directory = scene.directory("installed");
  options.privileged = true;
  const Registry found = scene.scan(options);
  BOOST_REQUIRE_EQUAL(found.candidates().size(), 1u);
  BOOST_TEST(found.candidates()[0].name == "isa");
}

BOOST_AUTO_TEST_CASE(a_backend_that_cannot_be_used_is_not_found_and_none_at_all_is_unsupported) {
  Scene scene;
  scene.add("note-minor");
  const Registry found = scene.scan(scene.options());
  const auto named = found.select("note-minor");
  BOOST_REQUIRE(!named.ok());
  BOOST_TEST((named.error().code == Errc::not_found));
  BOOST_TEST(named.error().what.find("abi-minor: needs ABI 0.99") != std::string::npos);
  const auto absent = found.select("absent");
  BOOST_REQUIRE(!absent.ok());
  BOOST_TEST((absent.error().code == Errc::not_found));
  BOOST_TEST(absent.error().what.find("libds4-backend-absent.so") != std::string::npos);
  const auto any = found.select("auto");
  BOOST_REQUIRE(!any.ok());
  BOOST_TEST((any.error().code == Errc::unsupported));
  const auto malformed = found.select("good:x");
  BOOST_REQUIRE(!malformed.ok());
  BOOST_TEST((malformed.error().code == Errc::invalid_argument));
}

BOOST_AUTO_TEST_CASE(a_device_that_is_not_there_is_named_in_the_error) {
  Scene scene;
  scene.add("good");
  const Registry found = scene.scan(scene.options());
  BOOST_TEST(found.select("good:0").ok());
  const auto missing = found.select("good:1");
  BOOST_REQUIRE(!missing.ok());
  BOOST_TEST(missing.error().what.find("has 1 devices") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(json_lists_what_the_table_lists) {
  Scene scene;
  scene.add("good");
  scene.add("note-minor");
  const std::string json = scene.scan(scene.options()).listing(ListingStyle::json);
  for (const char* part : {"\"name\":\"good\",\"state\":\"usable\"", "\"selected\":true",
                           "\"reason\":\"abi-minor\"", "\"abi\":\"0.99\"", "\"score\":120"}) {
    BOOST_TEST(json.find(part) != std::string::npos, part << " in " << json);
  }
}

BOOST_AUTO_TEST_CASE(a_probe_that_succeeded_is_remembered_until_the_file_changes) {
  Scene scene;
  const fs::path file = scene.add("good");
  BackendSearchOptions options = scene.options();
  options.cache_directory = scene.root() / "cache";
  BOOST_REQUIRE(scene.scan(options).select("good").ok());
  // A probe program that always fails: whoever needs it again is refused.
  options.probe_program = "/bin/false";
  BOOST_TEST(scene.scan(options).select("good").ok());
  fs::last_write_time(file, fs::last_write_time(file) + std::chrono::seconds(5));
  BOOST_TEST(!scene.scan(options).select("good").ok());
  write_file(options.cache_directory / "probe.json", "{\"system\": 1, ");
  options.probe_program = DS4_TEST_PROBE;
  BOOST_TEST(scene.scan(options).select("good").ok());
}

BOOST_AUTO_TEST_CASE(probe_reports_survive_json_and_damaged_ones_are_refused) {
  const ProbeReport report =
      run_probe(DS4_TEST_PROBE, built_backend("good"), "good", std::chrono::seconds(60));
  BOOST_REQUIRE_MESSAGE(!report.refusal, report.refusal->text);
  BOOST_TEST(report.name == "good");
  BOOST_REQUIRE_EQUAL(report.devices.size(), 1u);
  BOOST_TEST(report.devices[0].score == 120u);
  const std::string text = probe_to_json(report);
  const auto again = probe_from_json(text);
  BOOST_REQUIRE(again.has_value());
  BOOST_TEST(probe_to_json(*again) == text);
  for (std::size_t size = 0; size < text.size(); ++size) {
    BOOST_TEST(!probe_from_json(text.substr(0, size)).has_value());
  }
}

BOOST_AUTO_TEST_SUITE_END()
