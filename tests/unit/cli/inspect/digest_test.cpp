#include "inspect/digest.hpp"

#include <boost/test/unit_test.hpp>

#include <string_view>

namespace ds4::inspect {
namespace {

template <class Hash>
void add(Hash& hash, std::string_view text) {
  hash.add(std::as_bytes(std::span(text)));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(digests)

// The vectors of FIPS 180-2.
BOOST_AUTO_TEST_CASE(sha256_gives_the_published_digests) {
  Sha256 nothing;
  BOOST_TEST(nothing.text() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Sha256 abc;
  add(abc, "a");
  add(abc, "bc");
  BOOST_TEST(abc.text() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

// Of the reference implementation: XXH3, 64 bits, seed 0.
BOOST_AUTO_TEST_CASE(xxh3_gives_the_published_digests) {
  BOOST_TEST(Xxh3().text() == "2d06800538d394c2");
  Xxh3 abc;
  add(abc, "ab");
  add(abc, "c");
  BOOST_TEST(abc.text() == "78af5f94892f3950");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::inspect
