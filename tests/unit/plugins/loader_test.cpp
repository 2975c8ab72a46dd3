// The parts of the loader that need no built backend.
#include <boost/test/unit_test.hpp>
#include <cstring>

#include "loader/clean_text.hpp"
#include "loader/manifest.hpp"
#include "loader/note.hpp"
#include "loader/probe.hpp"
#include "loader/reason.hpp"
#include "loader/search_path.hpp"

using namespace ds4;
using namespace ds4::plugins;

namespace {

ds4_note_record make_record() {
  ds4_note_record record{};
  record.owner_bytes = 4;
  record.desc_bytes = sizeof(ds4_note);
  record.type = DS4_NOTE_TYPE;
  std::memcpy(record.owner, "ds4", 4);
  record.desc.abi_major = DS4_ABI_MAJOR;
  record.desc.abi_minor_needed = DS4_ABI_MINOR;
  record.desc.kind = DS4_BACKEND_KIND_CPU;
  record.desc.flags = DS4_BUILD_SANITIZED != 0 ? DS4_NOTE_SANITIZED : 0;
  std::strcpy(record.desc.name, "cpu-base");
  return record;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(loader)

BOOST_AUTO_TEST_CASE(names_of_backends_are_lower_case_words_joined_by_dashes) {
  for (const char* good : {"cpu", "cpu-reference", "a", "cuda-120a", "x1-2-3"}) {
    BOOST_TEST(is_backend_name(good), good);
  }
  for (const char* bad : {"", "-", "cpu-", "-cpu", "1cpu", "Cpu", "a--b", "a_b", "a.b", "a/b",
                          "abcdefghijklmnopqrstuvwxyzabcdef"}) {
    BOOST_TEST(!is_backend_name(bad), bad);
  }
  BOOST_TEST(backend_name_of("/x/libds4-backend-cpu-avx2.so") == "cpu-avx2");
  for (const char* other : {"/x/libds4-backend-.so", "/x/libds4-backend-cpu.so.1", "/x/cpu.so"}) {
    BOOST_TEST(backend_name_of(other).empty(), other);
  }
}

BOOST_AUTO_TEST_CASE(notes_are_read_from_among_others_and_counted) {
  const ds4_note_record record = make_record();
  std::vector<std::byte> segment(16 + 8 + sizeof record);
  const std::uint32_t other[] = {4, 8, 5};  // an owner of 4 bytes, 8 bytes of text
  std::memcpy(segment.data(), other, sizeof other);
  std::memcpy(segment.data() + 12, "GNU", 4);
  std::memcpy(segment.data() + 24, &record, sizeof record);
  for (const std::uint64_t alignment : {4u, 8u}) {
    NoteFacts note;
    std::uint32_t found = 0;
    BOOST_TEST(!read_notes(segment, alignment, note, found));
    BOOST_TEST(found == 1u);
    BOOST_TEST(note.name == "cpu-base");
  }
}

BOOST_AUTO_TEST_CASE(a_note_that_is_cut_short_is_not_found) {
  const ds4_note_record record = make_record();
  const auto* bytes = reinterpret_cast<const std::byte*>(&record);
  for (std::size_t size = 0; size < sizeof record; ++size) {
    // An exact copy, so that a sanitizer sees any read beyond it.
    const std::vector<std::byte> cut(bytes, bytes + size);
    NoteFacts note;
    std::uint32_t found = 0;
    BOOST_TEST(!read_notes(cut, 4, note, found));
    BOOST_TEST(found == 0u);
  }
}

BOOST_AUTO_TEST_CASE(a_note_needs_no_more_than_this_processor_has) {
  NoteFacts note;
  note.abi_major = DS4_ABI_MAJOR;
  note.abi_minor_needed = DS4_ABI_MINOR;
  note.kind = DS4_BACKEND_KIND_CPU;
  note.flags = DS4_BUILD_SANITIZED != 0 ? DS4_NOTE_SANITIZED : 0;
  note.name = "cpu";
  note.isa_required = DS4_ISA_X86_64_V2 | DS4_ISA_X86_64_V3;
  BOOST_TEST(!check_note(note, "cpu", DS4_ISA_X86_64_V2 | DS4_ISA_X86_64_V3 | DS4_ISA_X86_64_V4));
  const Verdict refusal = check_note(note, "cpu", DS4_ISA_X86_64_V2);
  BOOST_REQUIRE(refusal.has_value());
  BOOST_TEST(reason_name(refusal->reason) == "isa");
  BOOST_TEST(refusal->text.starts_with("needs x86-64-v3,"), refusal->text);
}

BOOST_AUTO_TEST_CASE(every_reason_is_found_by_its_name) {
  for (int i = 0; i <= static_cast<int>(Reason::no_device); ++i) {
    const auto reason = static_cast<Reason>(i);
    const auto found = reason_from_name(reason_name(reason));
    BOOST_TEST((found == reason), reason_name(reason));
  }
  BOOST_TEST(!reason_from_name("fine").has_value());
}

BOOST_AUTO_TEST_CASE(a_manifest_gives_defaults_and_warns_of_keys_it_does_not_know) {
  const auto manifest = parse_manifest(
      R"({"format":1,"library":"libds4-backend-cpu.so","enabled":true,
          "options":{"graph":"off"},"note":"tuned","speed":"fast"})");
  BOOST_REQUIRE(manifest.ok());
  BOOST_TEST(manifest->options.at("graph") == "off");
  BOOST_TEST(manifest->note == "tuned");
  BOOST_REQUIRE_EQUAL(manifest->warnings.size(), 1u);
  BOOST_TEST(manifest->warnings[0].find("\"speed\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_malformed_manifest_is_refused) {
  for (const char* text :
       {"", "[]", "{", "{}", R"({"format":2})", R"({"format":"1"})", R"({"format":1,"sha256":"x"})",
        R"({"format":1,"options":[]})", R"({"format":1,"options":{"a":1}})",
        R"({"format":1,"library":""})", R"({"format":1,"library":".."})",
        R"({"format":1,"library":"a/b.so"})", R"({"format":1,"note":7})"}) {
    const auto manifest = parse_manifest(text);
    BOOST_TEST(!manifest.ok(), text);
  }
  BOOST_TEST(!parse_manifest(std::string(5000, '[')).ok());
}

BOOST_AUTO_TEST_CASE(text_of_a_backend_is_made_fit_for_one_line) {
  BOOST_TEST(clean_text("a\nb\tc\x7f") == "a b c ");
  BOOST_TEST(clean_text("gr\xc3\xbc\xc3\x9f") == "gr\xc3\xbc\xc3\x9f");
  BOOST_TEST(clean_text("\xff\xc3(\xed\xa0\x80\xc0\xaf") == "?\?(?????");
}

BOOST_AUTO_TEST_CASE(the_search_goes_through_the_places_in_order) {
  BackendSearchOptions options;
  options.explicit_paths = {"/nowhere/a", "/nowhere/libds4-backend-x.so"};
  options.environment_path = "/nowhere/b::/nowhere/c";
  options.executable = "/nowhere/bin/ds4-run";
  options.install_directory = "/nowhere/d";
  options.user_data_directory = "/nowhere/e";
  const SearchResult found = search_backends(options);
  // A path that is not there is taken for a file: its refusal says more than a skipped directory.
  BOOST_REQUIRE_EQUAL(found.files.size(), 2u);
  std::vector<std::string> directories;
  for (const auto& directory : found.directories) directories.push_back(directory.path.string());
  const std::vector<std::string> expected = {"/nowhere/b", "/nowhere/c",
                                             "/nowhere/lib/ds4/backends-0", "/nowhere/d",
                                             "/nowhere/e/ds4/backends-0"};
  BOOST_TEST(directories == expected, boost::test_tools::per_element());
  options.environment_only = true;
  BOOST_TEST(search_backends(options).directories.size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_program_without_the_probe_verb_goes_on) {
  const char* plain[] = {"ds4-run", "--model", "x"};
  BOOST_TEST(!run_probe_verb(3, plain).has_value());
  const char* bare[] = {"ds4-run", "--ds4-probe"};
  BOOST_TEST(!run_probe_verb(2, bare).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
