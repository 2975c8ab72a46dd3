#include "tokenizer/profile.hpp"

#include <openssl/sha.h>
#include <boost/test/unit_test.hpp>

#include <array>
#include <string>

namespace {

std::string sha256(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::string out;
  for (const unsigned char byte : digest) {
    out += "0123456789abcdef"[byte >> 4U];
    out += "0123456789abcdef"[byte & 15U];
  }
  return out;
}

std::string level(std::string_view value, std::uint64_t context) {
  const auto found = ds4::resolve_effort(ds4::v4_profile(), value, context);
  return found ? std::string((*found)->name) : "error";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(profile)

BOOST_AUTO_TEST_CASE(prompt_texts_are_those_of_the_release) {
  const ds4::ModelProfile& profile = ds4::v4_profile();
  BOOST_TEST(profile.tools_head.size() == 890U);
  BOOST_TEST(sha256(profile.tools_head) ==
             "c7c9042638154a237b5d1bd48be772374a35a4d24c5cacfd1ffbd92703da329c");
  BOOST_TEST(profile.tools_tail.size() == 99U);
  BOOST_TEST(sha256(profile.tools_tail) ==
             "690702850fe256512cb1ee67c4e436ecb3e735c71ebee77ca45ff357a75fb5a7");
  BOOST_TEST(profile.efforts.back().prefix.size() == 476U);
  BOOST_TEST(sha256(profile.efforts.back().prefix) ==
             "f7a24f3b3050d4a83781e9b755b316aae2ec1d9dc87562541d90bcb04d7350f7");
}

BOOST_AUTO_TEST_CASE(effort_values_select_a_level) {
  for (const char* value : {"", "minimal", "low", "medium", "high", "xhigh"}) {
    BOOST_TEST(level(value, 0) == "high", value);
  }
  BOOST_TEST(level("none", 0) == "none");
  BOOST_TEST(level("max", 0) == "max");
  BOOST_TEST(level("ultra", 0) == "max");
  BOOST_TEST(level("High", 0) == "error");
  BOOST_TEST(level("most", 0) == "error");
}

BOOST_AUTO_TEST_CASE(maximum_effort_needs_the_context_for_it) {
  BOOST_TEST(level("max", 393216) == "max");
  BOOST_TEST(level("max", 393215) == "high");
  BOOST_TEST(level("none", 1) == "none");
}

BOOST_AUTO_TEST_CASE(profiles_are_found_by_name) {
  BOOST_TEST((*ds4::find_profile("deepseek-v4") == &ds4::v4_profile()));
  const auto missing = ds4::find_profile("x");
  BOOST_REQUIRE(!missing.ok());
  BOOST_TEST(missing.error().what.find("deepseek-v4") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
