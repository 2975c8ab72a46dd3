// 10,000 texts encoded by the Hugging Face tokenizers library (tests/oracle/tokenizer_vectors.py).
#include <boost/test/unit_test.hpp>

#include <charconv>
#include <cstdint>

#include "tests/unit/tokenizer/golden.hpp"

namespace {

using Ids = std::vector<std::int32_t>;

Ids parse_ids(std::string_view line) {
  Ids out;
  for (const char* at = line.data(); at < line.data() + line.size(); ++at) {
    std::int32_t id = -1;
    at = std::from_chars(at, line.data() + line.size(), id).ptr;
    out.push_back(id);
  }
  return out;
}

std::vector<std::string_view> parse_texts(std::string_view data) {
  std::vector<std::string_view> out;
  while (data.size() >= 2) {
    const auto low = static_cast<unsigned char>(data[0]);
    const auto high = static_cast<unsigned char>(data[1]);
    const std::size_t size = low + 256U * high;
    out.push_back(data.substr(2, size));
    data.remove_prefix(2 + size);
  }
  return out;
}

struct Oracle : ds4::test::GoldenVocabulary {
  Oracle()
      : text_data(ds4::test::read_golden("tokenizer/texts.bin")),
        id_data(ds4::test::read_golden("tokenizer/ids.txt")),
        texts(parse_texts(text_data)),
        ids(ds4::test::lines_of(id_data)) {}

  std::string text_data;
  std::string id_data;
  std::vector<std::string_view> texts;
  std::vector<std::string_view> ids;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(tokenizer_oracle)

BOOST_FIXTURE_TEST_CASE(agrees_with_hugging_face_on_ten_thousand_texts_in_both_modes, Oracle) {
  const auto tokenizer = ds4::Tokenizer::make(source);
  BOOST_REQUIRE_MESSAGE(tokenizer.ok(), (tokenizer ? "" : tokenizer.error().what));
  BOOST_REQUIRE_EQUAL(texts.size(), 10000U);
  BOOST_REQUIRE_EQUAL(ids.size(), 20000U);
  std::size_t text_differences = 0;
  std::size_t rendered_differences = 0;
  std::size_t with_specials = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const Ids plain = parse_ids(ids[2 * i]);
    const bool same = ids[2 * i + 1] == "=";
    with_specials += same ? 0 : 1;
    const auto text = tokenizer->encode_text(texts[i]);
    const auto rendered = tokenizer->encode_rendered(texts[i]);
    if (!text || *text != plain) {
      if (++text_differences <= 5) BOOST_TEST_MESSAGE("text " << i << ": " << texts[i]);
    }
    if (!rendered || *rendered != (same ? plain : parse_ids(ids[2 * i + 1]))) {
      if (++rendered_differences <= 5) BOOST_TEST_MESSAGE("rendered " << i << ": " << texts[i]);
    }
  }
  BOOST_TEST(text_differences == 0U);
  BOOST_TEST(rendered_differences == 0U);
  BOOST_TEST(with_specials > 1000U);  // else the second mode would be tested by nothing
}

BOOST_FIXTURE_TEST_CASE(decoding_gives_back_every_text, Oracle) {
  const auto tokenizer = ds4::Tokenizer::make(source);
  BOOST_REQUIRE(tokenizer.ok());
  for (const std::string_view text : texts) {
    BOOST_REQUIRE_EQUAL(tokenizer->decode(*tokenizer->encode_text(text)), text);
    BOOST_REQUIRE_EQUAL(tokenizer->decode(*tokenizer->encode_rendered(text)), text);
  }
}

BOOST_AUTO_TEST_SUITE_END()
