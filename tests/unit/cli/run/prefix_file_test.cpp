#include <boost/test/unit_test.hpp>

#include "run/prefix_file.hpp"

namespace ds4::run {

BOOST_AUTO_TEST_SUITE(prefix_file)

BOOST_AUTO_TEST_CASE(pairs_keep_inner_lines_and_lose_trailing_white_space) {
  const auto pairs =
      parse_prefix("\nUSER: one\n\n two\n\nASSISTANT:  a\nUSER:\nb\nASSISTANT: c USER: d");
  BOOST_REQUIRE(pairs);
  BOOST_REQUIRE(pairs->size() == 2U);
  BOOST_TEST((*pairs)[0].user == "one\n\n two");
  BOOST_TEST((*pairs)[0].assistant == " a");
  BOOST_TEST((*pairs)[1].user == "\nb");
  BOOST_TEST((*pairs)[1].assistant == "c USER: d");
}

BOOST_AUTO_TEST_CASE(broken_files_are_refused_with_their_line) {
  BOOST_TEST(!parse_prefix(""));
  BOOST_TEST(!parse_prefix("USER: a\n"));
  BOOST_TEST(parse_prefix("hello\nUSER: a\n").error().what.find("line 1") != std::string::npos);
  BOOST_TEST(parse_prefix("USER: a\nUSER: b\n").error().what.find("line 2") != std::string::npos);
  BOOST_TEST(parse_prefix("ASSISTANT: a\n").error().what.find("line 1") != std::string::npos);
  const auto twice = parse_prefix("USER: a\nASSISTANT: b\nASSISTANT: c\n");
  BOOST_TEST(twice.error().what.find("line 3") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::run
