// What is no backend at all, is cut short, or can be changed by others.
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "loader/check_file.hpp"
#include "loader/preflight_elf.hpp"
#include "scene.hpp"

using namespace ds4;
using namespace ds4::plugins;
using namespace ds4::tests;
namespace fs = std::filesystem;

namespace {

Refusal check(const fs::path& path, const BackendSearchOptions& options = {}) {
  const CheckedFile checked = check_file({path, SearchPlace::explicit_path, true}, options);
  return checked.refusal.value_or(Refusal{Reason::not_a_file, "accepted"});
}

void expect(const Refusal& found, Reason reason, const std::string& text) {
  BOOST_TEST(reason_name(found.reason) == reason_name(reason), found.text);
  BOOST_TEST(found.text.find(text) != std::string::npos, found.text);
}

std::string patched(std::size_t offset, char value) {
  std::string bytes = read_file(built_backend("good"));
  bytes.at(offset) = value;
  return bytes;
}

Verdict preflight(const std::string& bytes) {
  NoteFacts note;
  return preflight_elf({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, "good",
                       cpu_isa(), note);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(damaged_files)

BOOST_AUTO_TEST_CASE(what_is_no_regular_file_of_a_plausible_size_is_refused) {
  Scene scene;
  const fs::path file = scene.directory("a") / file_name("good");
  write_file(file, "");
  expect(check(file), Reason::not_a_file, "has 0 bytes");
  fs::remove(file);
  fs::create_directory(file);
  expect(check(file), Reason::not_a_file, "not a regular file");
  fs::remove(file);
  BOOST_REQUIRE_EQUAL(::mkfifo(file.c_str(), 0644), 0);
  expect(check(file), Reason::not_a_file, "not a regular file");
  fs::remove(file);
  fs::create_symlink(scene.root() / "nothing", file);
  expect(check(file), Reason::not_a_file, "cannot be resolved");
}

BOOST_AUTO_TEST_CASE(what_is_no_shared_object_of_this_machine_is_refused) {
  Scene scene;
  const fs::path file = scene.directory("a") / file_name("good");
  const auto expect_content = [&](const std::string& bytes, Reason reason, const char* text) {
    write_file(file, bytes);
    expect(check(file), reason, text);
  };
  expect_content(std::string(8192, 'x'), Reason::not_elf, "is no ELF file");
  expect_content(patched(4, 1), Reason::wrong_arch, "64-bit");         // EI_CLASS
  expect_content(patched(5, 2), Reason::wrong_arch, "byte order");     // EI_DATA
  expect_content(patched(18, 8), Reason::wrong_arch, "machine 8");     // e_machine: MIPS
  expect_content(patched(16, 2), Reason::not_elf, "ELF type 2");       // e_type: program
  expect_content(patched(54, 7), Reason::not_elf, "program headers");  // e_phentsize
}

BOOST_AUTO_TEST_CASE(a_link_to_a_valid_backend_is_as_good_as_the_file_under_its_name_only) {
  Scene scene;
  const fs::path real = scene.add("good", "b");
  fs::create_symlink(real, scene.directory("a") / file_name("good"));
  fs::create_symlink(real, scene.directory("a") / file_name("renamed"));
  const Registry registry = scene.scan(scene.options());
  BOOST_REQUIRE(find(registry, "good") != nullptr);
  BOOST_TEST((find(registry, "good")->state == CandidateState::usable));
  BOOST_TEST(find(registry, "good")->path == real);
  BOOST_REQUIRE(find(registry, "renamed") != nullptr);
  BOOST_TEST(reason_name(find(registry, "renamed")->refusal.reason) == "name-mismatch");
}

BOOST_AUTO_TEST_CASE(a_file_cut_at_any_of_200_points_is_truncated_or_whole_in_what_is_loaded) {
  const std::string whole = read_file(built_backend("good"));
  BOOST_REQUIRE(!preflight(whole));
  std::size_t truncated = 0;
  for (std::size_t i = 0; i < 200; ++i) {
    const std::size_t size = 64 + (whole.size() - 64) * i / 200;
    const Verdict refusal = preflight(whole.substr(0, size));
    if (!refusal) continue;
    BOOST_TEST(reason_name(refusal->reason) == "truncated", refusal->text);
    ++truncated;
  }
  BOOST_TEST(truncated > 0u);
}

BOOST_AUTO_TEST_CASE(no_byte_of_the_headers_can_be_changed_to_break_the_reader) {
  // The assertion is that nothing is read out of bounds; sanitizer builds see it.
  const std::string whole = read_file(built_backend("good"));
  std::size_t refused = 0;
  for (std::size_t at = 0; at < std::min<std::size_t>(whole.size(), 2048); ++at) {
    for (const char value : {'\x00', '\xff', '\x7f'}) {
      std::string damaged = whole;
      damaged[at] = value;
      refused += preflight(damaged) ? 1 : 0;
    }
  }
  BOOST_TEST(refused > 0u);
}

BOOST_AUTO_TEST_CASE(what_others_can_write_is_refused_with_the_command_that_accepts_it) {
  Scene scene;
  const fs::path file = scene.add("good");
  const std::string command = "--allow-untrusted-backend " + file.string();
  fs::permissions(file, fs::perms(0757));
  expect(check(file), Reason::bad_mode, command);
  fs::permissions(file, fs::perms(0755));
  fs::permissions(file.parent_path(), fs::perms(0757));
  expect(check(file), Reason::bad_parent, command);
  fs::permissions(file.parent_path(), fs::perms(01777));  // sticky, but the file's own directory
  expect(check(file), Reason::bad_parent, command);

  BackendSearchOptions options = scene.options();
  options.probe = ProbePolicy::never;
  for (const fs::path& accepted : {file, file.parent_path()}) {
    options.allow_untrusted = {accepted};
    scene.log.clear();
    BOOST_TEST(scene.scan(options).select("good").ok());
    BOOST_REQUIRE_EQUAL(scene.log.size(), 1u);
    BOOST_TEST(scene.log[0].find("can be written by everyone") != std::string::npos);
  }
  options.privileged = true;
  expect(check(file, options), Reason::bad_parent, command);
}

BOOST_AUTO_TEST_CASE(a_sticky_directory_passes_above_one_that_passes) {
  Scene scene;
  const fs::path file = scene.add("good", "sticky/own");
  fs::permissions(scene.root() / "sticky", fs::perms(01777));
  expect(check(file), Reason::not_a_file, "accepted");
  fs::permissions(scene.root() / "sticky", fs::perms(0777));
  expect(check(file), Reason::bad_parent, "sticky");
}

BOOST_AUTO_TEST_CASE(a_file_of_another_user_is_refused,
                     *boost::unit_test::precondition([](boost::unit_test::test_unit_id) {
                       boost::test_tools::assertion_result is_root(::geteuid() == 0);
                       return is_root;
                     })) {
  Scene scene;
  const fs::path file = scene.add("good");
  BOOST_REQUIRE_EQUAL(::chown(file.c_str(), 12345, 12345), 0);
  expect(check(file), Reason::bad_owner, "--allow-untrusted-backend " + file.string());
  // Beside a program of the same owner it is as trustworthy as that program.
  const fs::path program = scene.directory("bin") / "program";
  write_file(program, "x");
  BOOST_REQUIRE_EQUAL(::chown(program.c_str(), 12345, 12345), 0);
  BackendSearchOptions options;
  options.executable = program;
  BOOST_TEST(!check_file({file, SearchPlace::executable, false}, options).refusal);
}

BOOST_AUTO_TEST_CASE(a_manifest_can_disable_and_pin_but_not_point_elsewhere) {
  Scene scene;
  const fs::path file = scene.add("good");
  const fs::path manifest = file.parent_path() / "good.ds4-backend.json";
  const auto with = [&](const std::string& keys) {
    write_file(manifest, "{\"format\":1" + keys + "}");
    return check(file);
  };
  const std::string bytes = read_file(file);
  const std::string digest =
      sha256_hex({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
  expect(with(",\"sha256\":\"" + digest + "\""), Reason::not_a_file, "accepted");
  expect(with(",\"sha256\":\"" + std::string(64, '0') + "\""), Reason::hash, digest);
  expect(with(",\"library\":\"../../tmp/x.so\""), Reason::bad_manifest, "without a slash");
  expect(with(",\"library\":\"libother.so\""), Reason::bad_manifest, "names another file");
  expect(with(",\"enabled\":1"), Reason::bad_manifest, "true or false");
  write_file(manifest, std::string(70000, ' '));
  expect(check(file), Reason::bad_manifest, "at most 65536");
  with(",\"enabled\":false");
  const Registry registry = scene.scan(scene.options());
  BOOST_REQUIRE(find(registry, "good") != nullptr);
  BOOST_TEST((find(registry, "good")->state == CandidateState::disabled));
  BOOST_TEST(!registry.select("good").ok());
}

BOOST_AUTO_TEST_SUITE_END()
