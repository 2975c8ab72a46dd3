// The golden layout is complete: nothing public is missing from it, and no byte of a struct.
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

std::string read(const std::string& path) {
  std::ifstream in(std::string(DS4_SOURCE_DIR) + path);
  BOOST_REQUIRE_MESSAGE(in, path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string golden() {
  return read("/plugins/abi/abi-0.layout");
}
std::string headers() {
  return read("/plugins/include/ds4/backend.h") + read("/plugins/include/ds4/ops.h");
}

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream in(line);
  return {std::istream_iterator<std::string>(in), {}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

/// The second word of each line of the golden file that begins with `kind`.
std::set<std::string> listed(std::string_view kind) {
  std::set<std::string> out;
  for (const std::string& line : lines_of(golden())) {
    const auto words = words_of(line);
    if (words[0] == kind) out.insert(words[1]);
  }
  return out;
}

/// "7", "7u", "0xffu", "(1ull": the first word of a constant's value.
bool begins_a_number(const std::string& word) {
  const std::size_t at = word.starts_with('(') ? 1 : 0;
  return word.size() > at && word[at] >= '0' && word[at] <= '9';
}

}  // namespace

BOOST_AUTO_TEST_SUITE(abi_layout)

BOOST_AUTO_TEST_CASE(every_public_struct_is_listed) {
  std::set<std::string> defined;
  for (const std::string& line : lines_of(headers())) {
    if (line.starts_with("} ds4_")) defined.insert(line.substr(2, line.find(';') - 2));
  }
  BOOST_TEST(defined.size() > 50u);  // that many were there when this test was written
  BOOST_TEST(defined == listed("struct"), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(every_numeric_constant_is_listed) {
  std::set<std::string> defined;
  const auto lines = lines_of(headers());
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    auto words = words_of(lines[i]);
    if (words.size() < 3 || words[0] != "#define") continue;
    // A long value stands on the next line.
    if (words[2] == "\\" && !words_of(lines[i + 1]).empty()) words[2] = words_of(lines[i + 1])[0];
    if (begins_a_number(words[2])) defined.insert(words[1]);
  }
  defined.erase("DS4_BUILD_SANITIZED");  // a fact about this build, not about the ABI
  BOOST_TEST(defined.size() > 150u);     // likewise
  BOOST_TEST(defined == listed("constant"), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_fields_of_a_struct_follow_each_other_and_fill_it) {
  // There is no padding, so a field that is not listed leaves a hole.
  std::string name = "start";
  std::size_t size = 0;
  std::size_t filled = 0;
  for (const std::string& line : lines_of(golden())) {
    const auto words = words_of(line);
    if (line.starts_with("  ")) {  // "  struct.field offset 0 size 4"
      BOOST_REQUIRE_EQUAL(words.size(), 5u);
      BOOST_TEST(words[0].starts_with(name + "."), line);
      BOOST_TEST(std::stoul(words[2]) == filled, line);
      filled += std::stoul(words[4]);
      continue;
    }
    BOOST_TEST(filled == size, name);
    size = filled = 0;
    if (words[0] == "struct") {  // "struct name size 8 align 4"
      name = words[1];
      size = std::stoul(words[3]);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
