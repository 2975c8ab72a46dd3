#include <boost/test/unit_test.hpp>

#include "tests/unit/tokenizer/golden.hpp"
#include "tokenizer/byte_mapping.hpp"
#include "tokenizer/utf8.hpp"

namespace {

using ds4::ChatTokens;
using ds4::Vocabulary;
using ds4::VocabularySource;

VocabularySource two_letters() {
  VocabularySource out;
  out.tokens = {"a", "b", "ab", "<x>"};
  out.types = {1, 1, 1, 3};
  out.merges = {"a b"};
  out.model = "gpt2";
  out.pre = "joyai-llm";
  return out;
}

std::string error_of(const VocabularySource& source, ChatTokens chat = ChatTokens::optional) {
  const auto made = Vocabulary::make(source, chat);
  BOOST_REQUIRE(!made.ok());
  BOOST_TEST(made.error().what.find('\n') == std::string::npos);
  return made.error().what;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(vocabulary)

BOOST_AUTO_TEST_CASE(byte_mapping_is_that_of_gpt2) {
  unsigned next = 256;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool itself =
        (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174);
    const char32_t expected = itself ? byte : next++;
    BOOST_TEST(static_cast<unsigned>(ds4::mapped_code_point(static_cast<std::uint8_t>(byte))) ==
               static_cast<unsigned>(expected));
    const std::string raw(1, static_cast<char>(byte));
    BOOST_TEST((ds4::unmap_bytes(ds4::map_bytes(raw)) == raw));
  }
  BOOST_TEST(next == 324U);
  BOOST_TEST(!ds4::unmap_bytes("\xEF\xBD\x9C"));
  BOOST_TEST(!ds4::unmap_bytes("\xFF"));
}

BOOST_AUTO_TEST_CASE(finds_tokens_by_text_and_text_by_id) {
  const auto vocabulary = Vocabulary::make(two_letters(), ChatTokens::optional);
  BOOST_REQUIRE(vocabulary.ok());
  BOOST_TEST(vocabulary->size() == 4);
  BOOST_TEST(vocabulary->bytes(2) == "ab");
  BOOST_TEST(vocabulary->bytes(4).empty());
  BOOST_TEST(vocabulary->bytes(-1).empty());
  BOOST_TEST((vocabulary->find_normal("ab") == 2));
  BOOST_TEST(!vocabulary->find_normal("<x>"));
  BOOST_TEST((vocabulary->find_special("<x>") == 3));
  BOOST_TEST(vocabulary->is_special(3));
}

BOOST_AUTO_TEST_CASE(refuses_another_tokenizer_by_name) {
  auto source = two_letters();
  source.model = "llama";
  BOOST_TEST(has(error_of(source), "'llama'"));
  source = two_letters();
  source.pre = "qwen2";
  BOOST_TEST(has(error_of(source), "'qwen2'"));
}

BOOST_AUTO_TEST_CASE(refuses_broken_tables) {
  auto source = two_letters();
  source.tokens.clear();
  source.types.clear();
  BOOST_TEST(has(error_of(source), "tokenizer.ggml.tokens"));
  source = two_letters();
  source.types.pop_back();
  BOOST_TEST(has(error_of(source), "expected 4 entries, one per token, found 3"));
  source = two_letters();
  source.types[1] = 9;
  BOOST_TEST(has(error_of(source), "token_type[1]"));
  for (const char* merge : {"ab", "a b c", " ", "a ", "", "a  b", "\xFF b"}) {
    source = two_letters();
    source.merges = {"a b", merge};
    BOOST_TEST(has(error_of(source), "merges[1]"), merge);
  }
}

BOOST_AUTO_TEST_CASE(bos_and_eos_ids_must_exist_and_agree_with_their_text) {
  auto source = two_letters();
  source.bos = 4;
  BOOST_TEST(has(error_of(source), "bos_token_id: expected an id below 4, found 4"));
  ds4::test::GoldenVocabulary golden;
  golden.source.eos = 5;
  BOOST_TEST(has(error_of(golden.source, ChatTokens::required), "eos_token_id"));
  source = two_letters();
  source.eos = 3;
  const auto vocabulary = Vocabulary::make(source, ChatTokens::optional);
  BOOST_REQUIRE(vocabulary.ok());
  BOOST_TEST(vocabulary->special().eos == 3);
  BOOST_TEST(vocabulary->special().bos == -1);
}

BOOST_AUTO_TEST_CASE(absent_chat_tokens_are_all_listed) {
  const std::string error = error_of(two_letters(), ChatTokens::required);
  for (const char* name : {"begin", "end", "User", "Assistant", "<think>", "</think>", "DSML"}) {
    BOOST_TEST(has(error, name), name);
  }
  ds4::test::GoldenVocabulary golden;
  const auto vocabulary = Vocabulary::make(golden.source);
  BOOST_REQUIRE(vocabulary.ok());
  BOOST_TEST(vocabulary->bytes(vocabulary->special().think_close) == "</think>");
  BOOST_TEST(vocabulary->bytes(vocabulary->special().dsml) ==
             "\xEF\xBD\x9C"
             "DSML\xEF\xBD\x9C");
}

BOOST_AUTO_TEST_CASE(duplicate_token_keeps_the_first_id_and_is_logged) {
  auto source = two_letters();
  source.tokens.push_back("a");
  source.types.push_back(1);
  unsigned warnings = 0;
  const auto vocabulary = Vocabulary::make(
      source, ChatTokens::optional,
      [&](ds4::LogLevel level, std::string_view, std::string_view text) {
        if (level == ds4::LogLevel::warning && has(std::string(text), "more than once")) ++warnings;
      });
  BOOST_REQUIRE(vocabulary.ok());
  BOOST_TEST((vocabulary->find_normal("a") == 0));
  BOOST_TEST(warnings == 1U);
}

BOOST_AUTO_TEST_CASE(byte_tokens_stand_for_one_byte) {
  auto source = two_letters();
  source.tokens.push_back("<0x0A>");
  source.types.push_back(6);
  const auto vocabulary = Vocabulary::make(source, ChatTokens::optional);
  BOOST_REQUIRE(vocabulary.ok());
  BOOST_TEST(vocabulary->bytes(4) == "\n");
  BOOST_TEST((vocabulary->find_normal("\n") == 4));
}

BOOST_AUTO_TEST_CASE(every_code_point_survives_utf8) {
  for (char32_t c = 0; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 37) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    ds4::append_utf8(text, c);
    BOOST_REQUIRE_EQUAL(ds4::utf8_sequence_length(text), text.size());
    BOOST_REQUIRE(ds4::utf8_code_point(text, text.size()) == c);
  }
  for (const char* bad :
       {"\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80", "\xE2\x82", "\xFF"}) {
    BOOST_TEST(ds4::utf8_sequence_length(bad) == 0U, bad);
  }
  BOOST_TEST(ds4::utf8_sequence_length("") == 0U);
}

BOOST_AUTO_TEST_CASE(a_special_token_of_more_than_1024_bytes_is_refused) {
  const std::string most(1024, 'x');
  const std::string more(1025, 'x');
  for (const std::int32_t type : {3, 4}) {
    VocabularySource source = two_letters();
    source.types[3] = type;
    source.tokens[3] = most;
    BOOST_TEST(Vocabulary::make(source, ChatTokens::optional).ok());
    source.tokens[3] = more;
    BOOST_TEST(error_of(source) ==
               "tokenizer.ggml.tokens[3]: expected at most 1024 bytes in a control or user-defined "
               "token, found 1025");
  }
}

BOOST_AUTO_TEST_SUITE_END()
