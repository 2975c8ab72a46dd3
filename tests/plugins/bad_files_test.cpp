// Each broken backend is refused with its own reason, says why, and stops no other.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "bad_cases.hpp"
#include "scene.hpp"

using namespace ds4;
using namespace ds4::plugins;
using namespace ds4::tests;

BOOST_AUTO_TEST_SUITE(bad_files)

BOOST_DATA_TEST_CASE(is_refused_with_its_reason_while_another_backend_works,
                     boost::unit_test::data::make(kBadCases), wanted) {
  Scene scene;
  scene.add(wanted.name);
  scene.add("good");
  const Registry registry = scene.scan(scene.options());
  const Candidate* bad = find(registry, wanted.name);
  BOOST_REQUIRE(bad != nullptr);
  BOOST_TEST((bad->state != CandidateState::usable));
  BOOST_TEST(reason_name(bad->refusal.reason) == reason_name(wanted.reason), bad->refusal.text);
  BOOST_TEST(bad->refusal.text.find(wanted.text) != std::string::npos, bad->refusal.text);
  BOOST_TEST(bad->refusal.text.find('\n') == std::string::npos);
  const std::string listing = registry.listing(ListingStyle::table);
  BOOST_TEST(listing.find(std::string(reason_name(wanted.reason)) + ": ") != std::string::npos,
             listing);
  const auto selected = registry.select("auto");
  BOOST_REQUIRE_MESSAGE(selected.ok(), listing);
  BOOST_TEST(selected->backend->name() == "good");
}

BOOST_AUTO_TEST_CASE(a_backend_that_does_not_come_back_is_ended_at_the_limit) {
  Scene scene;
  scene.add("sleeps-in-ctor");
  BackendSearchOptions options = scene.options();
  options.probe_limit = std::chrono::milliseconds(300);
  const auto begin = std::chrono::steady_clock::now();
  const Registry registry = scene.scan(options);
  // The file sleeps for 60 s: anything well below shows that it was ended.
  BOOST_TEST((std::chrono::steady_clock::now() - begin < std::chrono::seconds(30)));
  const Candidate* bad = find(registry, "sleeps-in-ctor");
  BOOST_REQUIRE(bad != nullptr);
  BOOST_TEST(reason_name(bad->refusal.reason) == "probe");
  BOOST_TEST(bad->refusal.text.find("within 300 ms") != std::string::npos, bad->refusal.text);
}

BOOST_AUTO_TEST_CASE(a_changed_floating_point_control_register_is_restored_and_reported) {
  Scene scene;
  scene.add("fp-control");
  volatile float tiny = 1e-39f;  // a denormal: flushed to zero if the change got through
  const Registry registry = scene.scan(scene.options());
  BOOST_TEST(tiny * 0.5f != 0.0f);
  const Candidate* candidate = find(registry, "fp-control");
  BOOST_REQUIRE(candidate != nullptr);
  BOOST_TEST((candidate->state == CandidateState::usable), candidate->refusal.text);
  bool reported = false;
  for (const std::string& line : scene.log) {
    reported = reported || line.find("floating-point control register") != std::string::npos;
  }
  BOOST_TEST(reported);
}

BOOST_AUTO_TEST_CASE(a_table_longer_than_what_this_runtime_knows_is_usable) {
  Scene scene;
  scene.add("table-long");
  const Registry registry = scene.scan(scene.options());
  const auto selected = registry.select("table-long");
  BOOST_TEST(selected.ok(), registry.listing(ListingStyle::table));
}

BOOST_AUTO_TEST_SUITE_END()
