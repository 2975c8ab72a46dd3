#include "tokenizer/json_text.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <bit>
#include <charconv>
#include <random>
#include <string>

namespace {

struct Pair {
  const char* in;
  const char* out;
};
std::ostream& operator<<(std::ostream& stream, const Pair& pair) {
  return stream << pair.in;
}

// Expected forms are those of Python 3.11: json.dumps(json.loads(text), ensure_ascii=False).
const Pair kForms[] = {
    {"1.50", "1.5"},
    {"1E5", "100000.0"},
    {"1e16", "1e+16"},
    {"1e15", "1000000000000000.0"},
    {"123456789012345680.0", "1.2345678901234568e+17"},
    {"9007199254740993.0", "9007199254740992.0"},
    {"0.00001", "1e-05"},
    {"0.0001", "0.0001"},
    {"-0.0", "-0.0"},
    {"-0", "0"},
    {"0.0", "0.0"},
    {"1e-400", "0.0"},
    {"-0.1e-400", "-0.0"},
    {"0e999999", "0.0"},
    {"5e-324", "5e-324"},
    {"1.7976931348623157e308", "1.7976931348623157e+308"},
    {"0.1", "0.1"},
    {"2.5e-3", "0.0025"},
    {"123456789012345678901234567890", "123456789012345678901234567890"},
    {"-9223372036854775809", "-9223372036854775809"},
    {"{}", "{}"},
    {"[]", "[]"},
    {" { \"b\" :1 ,\"a\":[ true,false , null ] } ", "{\"b\": 1, \"a\": [true, false, null]}"},
    {"{\"a\":1,\"b\":2,\"a\":3}", "{\"a\": 3, \"b\": 2}"},
    {"\"\\u0041\\/\\u007f\\u00e9\"", "\"A/\x7f\xC3\xA9\""},
    {"\"\\\" \\\\ \\b\\f\\n\\r\\t\\u0001\\u001F\"", "\"\\\" \\\\ \\b\\f\\n\\r\\t\\u0001\\u001f\""},
    {"\"\\ud83d\\ude00\"", "\"\xF0\x9F\x98\x80\""},
    {"\"\\ud83d\"", "\"\xEF\xBF\xBD\""},
    {"\"\\ude00x\"", "\"\xEF\xBF\xBDx\""},
    {"\"\\ud83d\\ud83d\\ude00\"", "\"\xEF\xBF\xBD\xF0\x9F\x98\x80\""},
    {"\"\\\\ud83d\"", "\"\\\\ud83d\""},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(json_text)

BOOST_DATA_TEST_CASE(text_has_the_form_of_python, boost::unit_test::data::make(kForms), form) {
  const auto text = ds4::canonical_json(form.in);
  BOOST_REQUIRE_MESSAGE(text.ok(), (text ? "" : text.error().what));
  BOOST_TEST(*text == form.out);
}

BOOST_DATA_TEST_CASE(what_is_no_json_is_refused,
                     boost::unit_test::data::make({"", " ", "{", "[1,]", "nul", "NaN", "Infinity",
                                                   "-Infinity", "1e400", "01", "1.", ".5", "+1",
                                                   "{\"a\":1}x", "'a'", "\"\x01\"", "\"\xFF\"",
                                                   "\"\\u12\"", "// c\n1"}),
                     text) {
  const auto value = ds4::parse_json(text);
  BOOST_REQUIRE(!value.ok());
  BOOST_TEST((value.error().code == ds4::Errc::invalid_argument));
}

BOOST_AUTO_TEST_CASE(nesting_ends_at_its_limit) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  BOOST_TEST(ds4::parse_json(nested(ds4::kJsonDepth)).ok());
  BOOST_TEST(!ds4::parse_json(nested(ds4::kJsonDepth + 1)).ok());
  BOOST_TEST(!ds4::parse_json(nested(1000000)).ok());
}

BOOST_AUTO_TEST_CASE(every_double_reads_back_the_same) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 20000; ++i) {
    double value = std::bit_cast<double>(random());
    if (i % 2 == 0) value = static_cast<double>(random() % 1000000007) / 1000.0;
    if (!(value - value == 0)) continue;
    char buffer[64];
    const auto end =
        std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
    const auto text = ds4::json_number_text({buffer, static_cast<std::size_t>(end.ptr - buffer)});
    BOOST_REQUIRE(text.ok());
    double back = 0;
    std::from_chars(text->data(), text->data() + text->size(), back);
    BOOST_REQUIRE(std::bit_cast<std::uint64_t>(back) == std::bit_cast<std::uint64_t>(value));
  }
}

BOOST_AUTO_TEST_SUITE_END()
