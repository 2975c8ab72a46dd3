#include "registry/placement.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace ds4::plugins {
namespace {

using Names = std::vector<std::string>;
using Indexes = std::vector<std::size_t>;

PlacementRequest parsed(std::string_view text) {
  auto request = PlacementRequest::parse(text);
  BOOST_REQUIRE_MESSAGE(request, request.error().what);
  return *std::move(request);
}

/// "embed layers head", each an index of backends(); or the error.
std::string assignment(std::string_view text, std::uint32_t layers) {
  const auto assigned = parsed(text).for_layers(layers);
  if (!assigned) return assigned.error().what;
  std::string out = std::to_string(assigned->embed) + " ";
  for (const std::size_t index : assigned->layers) out += std::to_string(index);
  return out + " " + std::to_string(assigned->head);
}

struct Bad {
  const char* text;
  const char* what;  // how the message begins
};
std::ostream& operator<<(std::ostream& out, const Bad& bad) {
  return out << "'" << bad.text << "'";
}

constexpr Bad kBad[] = {
    {"", "has an empty part; expected "},
    {"0-3=cpu,", "has an empty part; expected "},
    {",0-3=cpu", "has an empty part; expected "},
    {"0-3=cpu,,4-5=cuda", "has an empty part; expected "},
    {"0-3", "'0-3': expected "},
    {"=cpu", "'=cpu': expected "},
    {"0-3=", "'0-3=': expected "},
    {"cpu", "'cpu': expected "},
    {"a-3=cpu", "'a-3=cpu': expected "},
    {"0-=cpu", "'0-=cpu': expected "},
    {"-3=cpu", "'-3=cpu': expected "},
    {"0-1-2=cpu", "'0-1-2=cpu': expected "},
    {"0 -3=cpu", "'0 -3=cpu': expected "},
    {"+0-3=cpu", "'+0-3=cpu': expected "},
    {"layers=cpu", "'layers=cpu': expected "},
    {"0-99999999999=cpu", "'0-99999999999=cpu': expected "},
    {"0-4294967295=cpu", "no model has a layer 4294967295"},
    {"0-3=CPU!", "'0-3=CPU!': CPU! is no backend; expected "},
    {"0-3=cpu:x", "'0-3=cpu:x': cpu:x is no backend; expected "},
    {"0-3=cpu=cuda", "'0-3=cpu=cuda': cpu=cuda is no backend; expected "},
    {"3-0=cpu", "'3-0=cpu': the range ends before it begins"},
    {"1-3=cpu", "layer 0 is placed nowhere"},
    {"2-3=cpu", "layers 0-1 are placed nowhere"},
    {"0-3=cpu,5-7=cuda", "layer 4 is placed nowhere"},
    {"8-9=cpu,0-3=cuda", "layers 4-7 are placed nowhere"},
    {"0-3=cpu,3-7=cuda", "layer 3 is placed twice"},
    {"0-9=cpu,3-5=cuda,10=cpu", "layers 3-5 are placed twice"},
    {"0-3=cpu,0-3=cpu", "layers 0-3 are placed twice"},
    {"embed=cpu,head=cuda", "places no layers; expected "},
    {"embed=cpu,embed=cuda,0-3=cpu", "embed is placed twice"},
    {"head=cpu,0-3=cpu,head=cpu", "head is placed twice"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(placement_request)

BOOST_AUTO_TEST_CASE(embedding_and_head_follow_the_layers_next_to_them) {
  BOOST_TEST((parsed("0-20=cuda-spark:0,21-42=cpu").backends() == Names{"cuda-spark:0", "cpu"}));
  BOOST_TEST(assignment("0-2=a,3-4=b", 5) == "0 00011 1");
  BOOST_TEST(assignment("embed=b,0-2=a,3-4=b", 5) == "0 11100 0");
  BOOST_TEST(assignment("embed=c,0-4=a,head=b", 5) == "0 11111 2");
}

BOOST_AUTO_TEST_CASE(ranges_stand_in_any_order_and_one_layer_is_a_range) {
  BOOST_TEST(assignment("head=a,3-4=b,2=c,0-1=a", 5) == "0 00122 0");
  BOOST_TEST(assignment("0=a", 1) == "0 0 0");
  BOOST_TEST(assignment("0-0=a,1-1=b", 2) == "0 01 1");
}

BOOST_AUTO_TEST_CASE(one_backend_may_have_several_ranges) {
  BOOST_TEST((parsed("0-1=a,2=b,3=a,4=b:1").backends() == Names{"a", "b", "b:1"}));
  BOOST_TEST(assignment("0-1=a,2=b,3=a,4=b:1", 5) == "0 00102 2");
  BOOST_TEST(assignment("0-1=auto,2-4=auto", 5) == "0 00000 0");
}

BOOST_AUTO_TEST_CASE(the_ranges_are_those_of_the_model) {
  BOOST_TEST(assignment("0-2=a,3-4=b", 43) ==
             "the model has layers 0-42: layers 5-42 are placed nowhere");
  BOOST_TEST(assignment("0-2=a,3-4=b", 6) == "the model has layers 0-5: layer 5 is placed nowhere");
  BOOST_TEST(assignment("0-2=a,3-4=b", 4) == "the model has layers 0-3: layer 4 is not in it");
  BOOST_TEST(assignment("0-2=a,3-9=b", 2) == "the model has layers 0-1: layers 2-9 are not in it");
  BOOST_TEST(assignment("0-4294967294=a", 43) ==
             "the model has layers 0-42: layers 43-4294967294 are not in it");
}

BOOST_DATA_TEST_CASE(what_is_wrong_is_said_in_one_line, boost::unit_test::data::make(kBad), bad) {
  const auto request = PlacementRequest::parse(bad.text);
  BOOST_TEST_REQUIRE(!request.ok());
  BOOST_TEST((request.error().code == Errc::invalid_argument));
  BOOST_TEST(request.error().what.find(bad.what) == 0U, request.error().what);
  BOOST_TEST(request.error().what.find('\n') == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::plugins
