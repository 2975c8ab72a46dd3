#include "tokenizer/tokenizer.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <string>

#include "tests/unit/tokenizer/golden.hpp"

namespace {

using Ids = std::vector<std::int32_t>;
using ds4::Segment;

struct Golden : ds4::test::GoldenVocabulary {
  Golden() : tokenizer(*ds4::Tokenizer::make(source)) {}
  std::int32_t special(std::string_view text) const {
    return *tokenizer.vocabulary().find_special(text);
  }
  ds4::Tokenizer tokenizer;
};

const std::string kUser = "<｜User｜>";
const std::string kAssistant = "<｜Assistant｜>";

}  // namespace

BOOST_FIXTURE_TEST_SUITE(tokenizer, Golden)

BOOST_AUTO_TEST_CASE(text_mode_never_gives_a_special_token) {
  const auto ids = tokenizer.encode_text(kUser + "hi" + kAssistant + "<think></think>");
  BOOST_REQUIRE(ids.ok());
  for (const std::int32_t id : *ids) BOOST_TEST(!tokenizer.vocabulary().is_special(id));
}

BOOST_AUTO_TEST_CASE(rendered_mode_takes_the_longest_special_token) {
  BOOST_TEST((*tokenizer.encode_rendered(kUser + kAssistant) == Ids{special(kUser + kAssistant)}));
  BOOST_TEST((*tokenizer.encode_rendered(kUser + kUser) == Ids{special(kUser), special(kUser)}));
}

BOOST_AUTO_TEST_CASE(neighbouring_text_segments_are_one_text) {
  const std::vector<Segment> split = {{Segment::Kind::text, "12"},
                                      {Segment::Kind::text, "3 the"},
                                      {Segment::Kind::control, kUser},
                                      {Segment::Kind::text, "x>"},
                                      {Segment::Kind::text, "\n"}};
  Ids expected = *tokenizer.encode_text("123 the");
  expected.push_back(special(kUser));
  const auto tail = tokenizer.encode_text("x>\n");
  expected.insert(expected.end(), tail->begin(), tail->end());
  BOOST_TEST((*tokenizer.encode_segments(split) == expected));
}

BOOST_AUTO_TEST_CASE(an_unknown_control_segment_is_an_error) {
  const std::vector<Segment> segments = {{Segment::Kind::control, "<nothing>"}};
  const auto ids = tokenizer.encode_segments(segments);
  BOOST_REQUIRE(!ids.ok());
  BOOST_TEST(ids.error().what.find("<nothing>") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(empty_text_gives_no_token) {
  BOOST_TEST(tokenizer.encode_text("")->empty());
  BOOST_TEST(tokenizer.encode_rendered("")->empty());
  BOOST_TEST(tokenizer.encode_segments({})->empty());
  BOOST_TEST(tokenizer.decode({}).empty());
}

BOOST_AUTO_TEST_CASE(any_bytes_come_back_as_they_were) {
  std::mt19937 random(17);
  for (int round = 0; round < 3000; ++round) {
    std::string text(random() % 40, ' ');
    for (char& c : text) c = static_cast<char>(random());
    const auto ids = tokenizer.encode_text(text);
    BOOST_REQUIRE(ids.ok());
    BOOST_REQUIRE(tokenizer.decode(*ids) == text);
  }
}

BOOST_AUTO_TEST_SUITE_END()
