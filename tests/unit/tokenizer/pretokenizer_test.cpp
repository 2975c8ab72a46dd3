#include <boost/test/unit_test.hpp>

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tokenizer/pretokenizer.hpp"
#include "tokenizer/utf8.hpp"

namespace {

using Pieces = std::vector<std::string>;

struct Splitter {
  Splitter() {
    auto made = ds4::Pretokenizer::make();
    BOOST_REQUIRE(made.ok());
    pretokenizer.emplace(*std::move(made));
  }

  Pieces operator()(std::string_view text) const {
    std::vector<std::size_t> ends;
    BOOST_REQUIRE(pretokenizer->split(text, ends).ok());
    std::vector<std::size_t> by_patterns;
    BOOST_REQUIRE(pretokenizer->split_by_patterns(text, by_patterns).ok());
    BOOST_REQUIRE(ends == by_patterns);
    Pieces out;
    std::size_t begin = 0;
    for (const std::size_t end : ends) {
      out.emplace_back(text.substr(begin, end - begin));
      begin = end;
    }
    BOOST_REQUIRE_EQUAL(begin, text.size());
    return out;
  }

  std::optional<ds4::Pretokenizer> pretokenizer;
};

void check(const Splitter& split, std::string_view text, const Pieces& expected) {
  const Pieces found = split(text);
  BOOST_TEST_CONTEXT("text: " << text) {
    BOOST_TEST(found == expected, boost::test_tools::per_element());
  }
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(pretokenizer, Splitter)

BOOST_AUTO_TEST_CASE(examples_of_the_specification_hold) {
  check(*this, "    int", {"   ", " int"});
  check(*this, ">;\n", {">;\n"});
  check(*this, "(foo", {"(foo"});
  check(*this, "((foo", {"((", "foo"});
  check(*this, "12345", {"123", "45"});
  check(*this, "a  1", {"a", "  ", "1"});
  check(*this, "x\n\n  y", {"x", "\n\n", " ", " y"});
}

BOOST_AUTO_TEST_CASE(cjk_is_cut_from_neighbouring_letters) {
  check(*this, "abc\u4eca\u5929def", {"abc", "\u4eca\u5929", "def"});
  check(*this, "\u30ab\u30fb\u30ad", {"\u30ab", "\u30fb", "\u30ad"});
  check(*this, "\u9fa6\u4e00", {"\u9fa6", "\u4e00"});  // U+9FA6 is a letter outside the range
  check(*this, " \u4eca", {" ", "\u4eca"});
}

BOOST_AUTO_TEST_CASE(numbers_of_all_scripts_go_in_threes) {
  check(*this, "\u0663\u0664\u0665\u0666", {"\u0663\u0664\u0665", "\u0666"});
  check(*this, "x\u00bdy", {"x", "\u00bd", "y"});
}

BOOST_AUTO_TEST_CASE(a_mark_belongs_to_the_word_before_or_stands_alone) {
  check(*this, "e\u0301t", {"e\u0301t"});
  check(*this, "\u0301", {"\u0301"});
  check(*this, "+\u0301", {"+", "\u0301"});
}

BOOST_AUTO_TEST_CASE(white_space_is_the_unicode_property) {
  check(*this, "a\u3000\u3000b", {"a", "\u3000", "\u3000b"});
  check(*this, "\u0085\u0085", {"\u0085\u0085"});
  // U+180E and U+200B are format characters, not white space: a word may begin with one of them.
  check(*this, "\u180eb", {"\u180eb"});
  check(*this, "\u180e\u180e1", {"\u180e\u180e", "1"});
  check(*this, "\u200b \u200b", {"\u200b", " ", "\u200b"});
}

BOOST_AUTO_TEST_CASE(unmatched_neighbours_form_one_piece) {
  check(*this, "\x01\x02\x03", {"\x01\x02\x03"});
  check(*this,
        "\x01\x02"
        "a",
        {"\x01",
         "\x02"
         "a"});
}

BOOST_AUTO_TEST_CASE(invalid_bytes_are_neither_letters_nor_spaces) {
  check(*this, "\xFF\xFE", {"\xFF\xFE"});
  check(*this, "\xE2\x82", {"\xE2\x82"});
  check(*this,
        "a\x80"
        "b",
        {"a",
         "\x80"
         "b"});
  check(*this, "\xED\xA0\x80 x", {"\xED\xA0\x80", " x"});
  check(*this, "  \xFF", {" ", " ", "\xFF"});
  check(*this, "\u4eca\xE4\xBB", {"\u4eca", "\xE4\xBB"});
}

BOOST_AUTO_TEST_CASE(ascii_path_equals_the_patterns_on_all_short_texts) {
  // One character of each class that the patterns tell apart, all texts up to six of them.
  constexpr std::string_view kAlphabet = " \n\ta7.\x01";
  for (std::size_t length = 1; length <= 6; ++length) {
    std::vector<std::size_t> digits(length, 0);
    std::string text(length, kAlphabet[0]);
    std::vector<std::size_t> fast;
    std::vector<std::size_t> slow;
    for (bool more = true; more;) {
      for (std::size_t i = 0; i < length; ++i) text[i] = kAlphabet[digits[i]];
      BOOST_REQUIRE(pretokenizer->split(text, fast).ok());
      BOOST_REQUIRE(pretokenizer->split_by_patterns(text, slow).ok());
      BOOST_REQUIRE(fast == slow);
      std::size_t at = 0;
      while (at < length && ++digits[at] == kAlphabet.size()) digits[at++] = 0;
      more = at < length;
    }
  }
}

BOOST_AUTO_TEST_CASE(ascii_path_equals_the_patterns_on_random_bytes_below_128) {
  std::mt19937 random(20260423);
  std::vector<std::size_t> fast;
  std::vector<std::size_t> slow;
  for (int round = 0; round < 20000; ++round) {
    std::string text(random() % 24 + 1, ' ');
    for (char& c : text) c = static_cast<char>(random() % 128);
    BOOST_REQUIRE(pretokenizer->split(text, fast).ok());
    BOOST_REQUIRE(pretokenizer->split_by_patterns(text, slow).ok());
    BOOST_REQUIRE(fast == slow);
  }
}

BOOST_AUTO_TEST_CASE(splitting_block_by_block_changes_nothing) {
  std::mt19937 random(7);
  const std::vector<std::string> parts = {"\n",     "\n",     "\r\n",   " ",    "\t",
                                          "x",      "Word",   ".",      ";",    "1234",
                                          "\u4eca", "\u3000", "\u00e9", "\x80", "\x01"};
  std::vector<std::size_t> whole;
  std::vector<std::size_t> block_ends;
  std::size_t blocks = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (std::size_t n = random() % 20 + 1; n > 0; --n) text += parts[random() % parts.size()];
    BOOST_REQUIRE(pretokenizer->split_by_patterns(text, whole).ok());
    std::vector<std::size_t> joined;
    std::size_t offset = 0;
    while (offset < text.size()) {
      const std::string_view rest = std::string_view(text).substr(offset);
      const std::string_view block = rest.substr(0, ds4::Pretokenizer::independent_prefix(rest));
      BOOST_REQUIRE(pretokenizer->split(block, block_ends).ok());
      for (const std::size_t end : block_ends) joined.push_back(offset + end);
      offset += block.size();
      ++blocks;
    }
    BOOST_REQUIRE(joined == whole);
  }
  BOOST_TEST(blocks > 30000U);  // else nothing was cut
}

BOOST_AUTO_TEST_CASE(a_megabyte_without_a_break_is_split) {
  for (const char* unit : {"a", " ", "\n", "1", "!", "\x01", "\u00e9", "\u3000", "\u4eca", "\x80",
                           "\u00e9 ", " \n\u00e9", "\u0301", "\u3000\n"}) {
    std::string text;
    while (text.size() < 1000000) text += unit;
    std::vector<std::size_t> ends;
    BOOST_TEST_CONTEXT("unit " << unit) {
      BOOST_TEST(pretokenizer->split(text, ends).ok());
      BOOST_TEST(ends.back() == text.size());
      BOOST_TEST(pretokenizer->split_by_patterns(text + "\u4eca", ends).ok());
    }
  }
}

BOOST_AUTO_TEST_CASE(eleven_million_spaces_beside_a_letter_are_split) {
  // More than the 10 million steps back that PCRE2 allows a match unless told otherwise.
  const std::string spaces(11000000, ' ');
  std::vector<std::size_t> ends;
  const auto done = pretokenizer->split(spaces + "\u00e9", ends);
  BOOST_REQUIRE_MESSAGE(done.ok(), (done ? "" : done.error().what));
  BOOST_REQUIRE_EQUAL(ends.size(), 2U);
  BOOST_TEST(ends[0] == spaces.size() - 1);  // the last space goes with the letter
  BOOST_TEST(ends[1] == spaces.size() + 2);
}

BOOST_AUTO_TEST_SUITE_END()
