#include "quantize/hf_tokenizer.hpp"

#include <boost/test/unit_test.hpp>

using ds4::Errc;
using ds4::quantize::parse_hf_tokenizer;

namespace {

std::string with_model(std::string_view model, std::string_view added = "[]") {
  return "{\"added_tokens\":" + std::string(added) + ",\"model\":" + std::string(model) + "}";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(quantize_tokenizer)

BOOST_AUTO_TEST_CASE(tokens_merges_and_added_tokens_reach_the_table) {
  const auto table = parse_hf_tokenizer(
      with_model(
          R"({"type":"BPE","vocab":{"a":2,"b":3,"ab":4},"merges":["a b",["ab","a"]]})",
          R"([{"id":0,"content":"<s>","special":true},{"id":5,"content":"<t>","special":false},)"
          R"({"id":2,"content":"a","special":true}])"),
      7, "tokenizer.json");
  BOOST_REQUIRE_MESSAGE(table.ok(), table.error().what);
  const std::vector<std::string> tokens = {"<s>", "[PAD1]", "a", "b", "ab", "<t>", "[PAD6]"};
  const std::vector<std::int32_t> types = {3, 5, 3, 1, 1, 4, 5};
  const std::vector<std::string> merges = {"a b", "ab a"};
  BOOST_TEST(table->tokens == tokens, boost::test_tools::per_element());
  BOOST_TEST(table->types == types, boost::test_tools::per_element());
  BOOST_TEST(table->merges == merges, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(tables_that_cannot_be_are_refused) {
  const std::string_view models[] = {
      R"({"type":"BPE","vocab":{"a":7},"merges":[]})",
      R"({"type":"BPE","vocab":{"a":-1},"merges":[]})",
      R"({"type":"BPE","vocab":{"a":1,"b":1},"merges":[]})",
      R"({"type":"BPE","vocab":{"a":1},"merges":["ab"]})",
      R"({"type":"BPE","vocab":{"a":1},"merges":[["a"]]})",
      R"({"type":"BPE","vocab":[],"merges":[]})",
      R"({"type":"BPE"})",
  };
  for (const std::string_view model : models) {
    BOOST_TEST_CONTEXT(model) {
      const auto table = parse_hf_tokenizer(with_model(model), 7, "tokenizer.json");
      BOOST_REQUIRE(!table.ok());
      BOOST_TEST((table.error().code == Errc::bad_file));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_model_other_than_bpe_is_unsupported) {
  const auto table = parse_hf_tokenizer(with_model(R"({"type":"Unigram","vocab":{},"merges":[]})"),
                                        7, "tokenizer.json");
  BOOST_REQUIRE(!table.ok());
  BOOST_TEST((table.error().code == Errc::unsupported));
}

BOOST_AUTO_TEST_SUITE_END()
