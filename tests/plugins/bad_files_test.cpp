// Each broken backend is refused with its own reason, says why, and stops no other.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <ostream>

#include "scene.hpp"

using namespace ds4;
using namespace ds4::plugins;
using namespace ds4::tests;

namespace {

struct Case {
  const char* name;
  Reason reason;
  const char* text;  ///< a part of the message
};
std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.name;
}

const Case kCases[] = {
    {"no-note", Reason::no_note, "has no ds4 note"},
    {"two-notes", Reason::no_note, "has 2 ds4 notes"},
    {"note-unterminated", Reason::no_note, "not terminated"},
    {"note-name", Reason::name_mismatch, "\"someone-else\""},
    {"note-kind", Reason::name_mismatch, "kind 77"},
    {"note-major", Reason::abi_major, "needs ABI 9.0"},
    {"note-minor", Reason::abi_minor, "needs ABI 0.99"},
    {"note-sanitizer", Reason::sanitizer, "build both alike"},
    {"isa", Reason::isa, "which this processor lacks"},
    {"missing-entry", Reason::no_entry, "does not export ds4_backend_entry_0"},
    {"entry-other-major", Reason::no_entry, "exports ds4_backend_entry_2, this runtime speaks 0"},
    {"extra-symbol", Reason::leaks_symbols, "exports ds4_test_leaked"},
    {"good-stack", Reason::unsafe_elf, "executable stack"},
    {"good-rpath", Reason::unsafe_elf, "RPATH"},
    {"unresolved", Reason::dlopen, "ds4_test_nowhere"},
    {"good-gone", Reason::dlopen, "libds4-test-gone.so"},
    {"entry-error", Reason::entry_failed, "entry says no"},
    {"entry-null", Reason::entry_failed, "without a table"},
    {"throws-in-entry", Reason::entry_failed, "thrown by an entry"},
    {"table-short", Reason::bad_table, "its table has 8 bytes"},
    {"table-null-function", Reason::bad_table, "enqueue"},
    {"table-other-minor", Reason::bad_table, "its table speaks ABI"},
    {"described-name", Reason::name_mismatch, "describes itself as \"other\""},
    {"count-changes", Reason::no_device, "must not change between two calls"},
    {"score-high", Reason::no_device, "claims score 999"},
    {"score-zero", Reason::no_device, "needs a moon"},
    {"score-silent", Reason::no_device, "score 0 without a reason"},
    {"exits-in-ctor", Reason::probe, "ended with status "},
    {"illegal-in-ctor", Reason::probe, "killed by SIG"},
#if !DS4_BUILD_SANITIZED
    {"throws-in-ctor", Reason::probe, "killed by SIGABRT"},
    {"throws-static", Reason::probe, "killed by SIGABRT"},
#endif
};

}  // namespace

BOOST_AUTO_TEST_SUITE(bad_files)

BOOST_DATA_TEST_CASE(is_refused_with_its_reason_while_another_backend_works,
                     boost::unit_test::data::make(kCases), wanted) {
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

BOOST_AUTO_TEST_SUITE_END()
