#include <boost/test/unit_test.hpp>

#include <limits>
#include <string>

#include "common/json_writer.hpp"
#include "run/line_editor.hpp"
#include "run/report.hpp"
#include "tokenizer/json_text.hpp"

namespace ds4::cli {
namespace {

std::string quoted(std::string_view bytes) {
  JsonWriter json;
  json.string(bytes);
  return json.take();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(json_writer)

BOOST_AUTO_TEST_CASE(every_single_byte_makes_valid_json) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const auto value = parse_json(quoted({&c, 1}));
    BOOST_TEST(value.ok(), byte);
  }
}

BOOST_AUTO_TEST_CASE(pieces_that_are_no_utf8_write_high_bytes_as_escapes) {
  BOOST_TEST(quoted("a\xC3\xA9") == "\"a\xC3\xA9\"");
  BOOST_TEST(quoted("\xC3") == "\"\\u00c3\"");
  BOOST_TEST(quoted("\xC3\xA9\xFF") == "\"\\u00c3\\u00a9\\u00ff\"");
  BOOST_TEST(quoted("\"\\\n\x01") == "\"\\\"\\\\\\n\\u0001\"");
}

BOOST_AUTO_TEST_CASE(numbers_have_nine_significant_digits) {
  BOOST_TEST(json_number(1.0 / 3.0) == "0.333333333");
  BOOST_TEST(json_number(-2) == "-2");
  BOOST_TEST(json_number(std::numeric_limits<double>::infinity()) == "null");
  BOOST_TEST(std::stof(json_number(0.1F)) == 0.1F);
}

BOOST_AUTO_TEST_CASE(commas_and_line_breaks_stand_between_values) {
  JsonWriter json;
  json.begin_object().key("a").begin_array().integer(1).line_break().integer(2).end_array();
  json.key("b").begin_object().end_object().end_object();
  BOOST_TEST(json.text() == "{\"a\":[1,\n2],\"b\":{}}");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(small_parts)

BOOST_AUTO_TEST_CASE(a_pasted_block_has_line_feeds_only) {
  BOOST_CHECK(run::pasted_text(L"a\rb\r\nc\nd\r") == L"a\nb\nc\nd\n");
}

BOOST_AUTO_TEST_CASE(a_report_names_no_home_folder) {
  BOOST_TEST(run::without_home("/home/ann/x /home/bob/y: /home/ann", "/home/ann") == "~/x ~/y: ~");
  BOOST_TEST(run::without_home("/root/x", "/root") == "~/x");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::cli
