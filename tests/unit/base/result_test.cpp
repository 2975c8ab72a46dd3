#include "base/result.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>

#include "base/checked.hpp"

namespace ds4 {
namespace {

Result<std::unique_ptr<int>> number(bool works) {
  if (!works) return fail(Errc::io, "wanted ", 1, ", found ", 2);
  return std::make_unique<int>(7);
}

Result<int> doubled(bool works) {
  DS4_TRY(const std::unique_ptr<int> value, number(works));
  return *value * 2;
}

Result<void> checked(bool works) {
  DS4_CHECK(doubled(works));
  return {};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(result)

BOOST_AUTO_TEST_CASE(a_value_passes_through_and_can_be_moved_out) {
  BOOST_TEST(*doubled(true) == 14);
  BOOST_TEST(checked(true).ok());
}

BOOST_AUTO_TEST_CASE(an_error_leaves_the_enclosing_function_with_its_text) {
  BOOST_TEST(checked(false).error().what == "wanted 1, found 2");
  BOOST_TEST((doubled(false).error().code == Errc::io));
}

BOOST_AUTO_TEST_CASE(context_is_added_outwards) {
  BOOST_TEST(doubled(false).error().in("layer ", 3).in("model.gguf").what ==
             "model.gguf: layer 3: wanted 1, found 2");
}

BOOST_AUTO_TEST_CASE(sizes_that_do_not_fit_are_nothing) {
  BOOST_TEST(!checked_add(~0ULL, 1));
  BOOST_TEST(!checked_mul(1ULL << 33, 1ULL << 31));
  BOOST_TEST(*checked_mul(1ULL << 32, 1ULL << 31) == 1ULL << 63);
  BOOST_TEST(round_up(257, 256) == 512U);
  BOOST_TEST(ceil_div(~0ULL, 2) == 1ULL << 63);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4
