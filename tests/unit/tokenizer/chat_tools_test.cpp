#include "tokenizer/chat_tools.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

namespace {

const std::string kDsml =
    "\xEF\xBD\x9C"
    "DSML\xEF\xBD\x9C";
const std::string kClosing = "</" + kDsml + "parameter>";

}  // namespace

BOOST_AUTO_TEST_SUITE(chat_tools)

BOOST_AUTO_TEST_CASE(names_are_limited_to_what_fits_in_a_tag) {
  BOOST_TEST(ds4::is_tool_name("mcp:ns/do_it-2.0"));
  BOOST_TEST(ds4::is_tool_name(std::string(128, 'a')));
  for (const std::string& bad : {std::string(), std::string(129, 'a'), std::string("a b"),
                                 std::string("a\""), std::string("\xC3\xA9")}) {
    BOOST_TEST(!ds4::is_tool_name(bad), bad);
  }
}

BOOST_AUTO_TEST_CASE(a_repeated_tool_keeps_its_place_and_its_last_definition) {
  const auto list = ds4::parse_json(
      R"([{"name":"a","parameters":{}},{"name":"b","parameters":{}},{"name":"a","description":"2","parameters":{}}])");
  const auto tools = ds4::make_tools(list->items);
  BOOST_REQUIRE(tools.ok());
  BOOST_REQUIRE_EQUAL(tools->size(), 2U);
  BOOST_TEST((*tools)[0].schema_line == R"({"name": "a", "description": "2", "parameters": {}})");
  BOOST_TEST((*tools)[1].name == "b");
}

BOOST_AUTO_TEST_CASE(definitions_without_a_valid_name_are_refused) {
  for (const char* text : {"[1]", "[{}]", R"([{"name":1}])", R"([{"name":"a b"}])"}) {
    const auto list = ds4::parse_json(text);
    BOOST_TEST(!ds4::make_tools(list->items).ok(), text);
  }
}

BOOST_AUTO_TEST_CASE(closing_tags_in_values_are_defused) {
  const auto arguments =
      ds4::tool_arguments("{\"s\":\"x" + kClosing + "\",\"j\":[\"" + kClosing + "\"]}", kDsml);
  BOOST_REQUIRE_EQUAL(arguments.size(), 2U);
  BOOST_TEST(arguments[0].value == "x&lt;/" + kDsml + "parameter>");
  BOOST_TEST(arguments[0].is_string);
  BOOST_TEST(arguments[1].value == "[\"\\u003c/" + kDsml + "parameter>\"]");
  BOOST_TEST(!arguments[1].is_string);
}

BOOST_AUTO_TEST_CASE(what_is_no_plain_object_becomes_one_string) {
  for (const std::string& text :
       {std::string("not json"), std::string("[1]"), std::string("\"s\""), std::string(),
        std::string(R"({"a\"b":1})"), std::string(R"({"<":1})"), std::string(R"({"a\nb":1})")}) {
    const auto arguments = ds4::tool_arguments(text, kDsml);
    BOOST_REQUIRE_EQUAL(arguments.size(), 1U);
    BOOST_TEST(arguments[0].name == "arguments");
    BOOST_TEST(arguments[0].is_string);
    BOOST_TEST(arguments[0].value == text);
  }
}

BOOST_AUTO_TEST_CASE(many_repeated_tools_keep_the_places_of_the_first) {
  // Comparing each with all would take 200 million steps.
  constexpr std::size_t kNames = 10000;
  std::vector<ds4::JsonValue> functions;
  for (std::size_t i = 0; i < 2 * kNames; ++i) {
    ds4::JsonValue function = ds4::JsonValue::make_object();
    function.add("name", ds4::JsonValue::make_string("tool" + std::to_string(i % kNames)));
    function.add("description", ds4::JsonValue::make_string(i < kNames ? "old" : "new"));
    functions.push_back(std::move(function));
  }
  const auto tools = ds4::make_tools(functions);
  BOOST_REQUIRE(tools.ok());
  BOOST_REQUIRE_EQUAL(tools->size(), kNames);
  for (const std::size_t i : {std::size_t{0}, kNames / 2, kNames - 1}) {
    BOOST_TEST((*tools)[i].name == "tool" + std::to_string(i));
    BOOST_TEST((*tools)[i].schema_line.find("\"new\"") != std::string::npos);
  }
}

BOOST_AUTO_TEST_SUITE_END()
