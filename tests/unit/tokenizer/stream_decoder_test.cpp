#include "tokenizer/stream_decoder.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

#include "tests/unit/tokenizer/golden.hpp"
#include "tokenizer/utf8.hpp"

namespace {

struct Decoder : ds4::test::GoldenVocabulary {
  Decoder() : decoder(*ds4::Tokenizer::make(source)) {}
  ds4::StreamDecoder decoder;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(stream_decoder, Decoder)

BOOST_AUTO_TEST_CASE(no_output_ends_inside_a_sequence) {
  const std::string text = "a\u00e9\u4eca\U0001F600z";
  std::string out;
  for (const char c : text) {
    const std::string part = decoder.push_bytes({&c, 1});
    BOOST_TEST(ds4::utf8_incomplete_tail(part) == 0U);
    BOOST_TEST(ds4::text_for_json(part) == part);
    BOOST_TEST(decoder.held() <= 3U);
    out += part;
  }
  BOOST_TEST(out == text);
  BOOST_TEST(decoder.finish().empty());
}

BOOST_AUTO_TEST_CASE(bytes_that_can_not_be_completed_are_given_out) {
  BOOST_TEST(decoder.push_bytes("\x80") == "\x80");
  BOOST_TEST(decoder.push_bytes("\xE2\x82").empty());
  BOOST_TEST(decoder.push_bytes("x") == "\xE2\x82x");
  BOOST_TEST(decoder.push_bytes("\xED").empty());
  BOOST_TEST(decoder.push_bytes("\xA0") == "\xED\xA0");
  BOOST_TEST(decoder.push_bytes("\xF0\x9F").empty());
  BOOST_TEST(decoder.finish() == "\xF0\x9F");
  BOOST_TEST(decoder.held() == 0U);
}

BOOST_AUTO_TEST_CASE(tokens_give_their_bytes) {
  const auto tokenizer = ds4::Tokenizer::make(source);
  std::string out;
  const auto ids = tokenizer->encode_text("\U0001F980 caf\u00e9");
  for (const std::int32_t id : *ids) out += decoder.push(id);
  BOOST_TEST(out == "\U0001F980 caf\u00e9");
  BOOST_TEST(decoder.push(-1).empty());
  BOOST_TEST(ds4::text_for_json("a\xFF\xE2\x82") == "a\uFFFD\uFFFD\uFFFD");
}

BOOST_AUTO_TEST_SUITE_END()
