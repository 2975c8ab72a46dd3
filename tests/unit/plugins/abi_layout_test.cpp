// The golden layout is complete: nothing public is missing from it, and no byte of a struct.
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

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

std::set<std::string> all_matches(const std::string& text, const std::string& pattern) {
  std::set<std::string> out;
  const std::regex expression(pattern);
  for (std::sregex_iterator it(text.begin(), text.end(), expression), end; it != end; ++it) {
    out.insert((*it)[1]);
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(abi_layout)

BOOST_AUTO_TEST_CASE(every_public_struct_is_listed) {
  const auto defined = all_matches(headers(), R"(\n\} (ds4_\w+);)");
  const auto listed = all_matches(golden(), R"(struct (\w+) size)");
  BOOST_TEST(defined.size() > 50u);  // that many were there when this test was written
  BOOST_TEST(defined == listed, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(every_numeric_constant_is_listed) {
  const auto defined =
      all_matches(headers(), R"(#define (DS4_[A-Z0-9_]+)[ \\\n]+\(?(?:0x)?[0-9a-f]+u?l?l?[ \n)])");
  const auto listed = all_matches(golden(), R"(constant (\w+) )");
  BOOST_TEST(defined.size() > 150u);  // likewise
  for (const std::string& name : defined) BOOST_TEST(listed.count(name) == 1u, name);
}

BOOST_AUTO_TEST_CASE(the_fields_of_a_struct_follow_each_other_and_fill_it) {
  // There is no padding, so a field that is not listed leaves a hole.
  std::istringstream lines(golden());
  std::string line;
  std::string name = "start";
  std::size_t size = 0;
  std::size_t filled = 0;
  const std::regex of_struct(R"(struct (\w+) size (\d+) align \d+)");
  const std::regex of_field(R"(  (\w+)\.\w+ offset (\d+) size (\d+))");
  std::smatch match;
  while (std::getline(lines, line)) {
    if (std::regex_match(line, match, of_field)) {
      BOOST_TEST(match[1] == name);
      BOOST_TEST(std::stoul(match[2]) == filled, line);
      filled += std::stoul(match[3]);
      continue;
    }
    BOOST_TEST(filled == size, name);
    size = filled = 0;
    if (std::regex_match(line, match, of_struct)) {
      name = match[1];
      size = std::stoul(match[2]);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
