#include "engine/op_compare.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include "ops/op_table.hpp"
#include "ops/views.hpp"

namespace ds4 {
namespace {

OpOutput output(Nearness nearness, std::uint32_t rows, std::uint32_t width) {
  return {"y", make_view(nullptr, 0, DS4_DTYPE_F32, {rows, width}), nearness, false, {}};
}

std::span<const std::byte> bytes(const std::vector<float>& values) {
  return std::as_bytes(std::span(values));
}

/// 100 ones, the last `off` by.
std::vector<float> ones(float off) {
  std::vector<float> values(100, 1.0F);
  values.back() += off;
  return values;
}

OutputComparison compared(Nearness nearness, float off) {
  OutputComparison comparison(output(nearness, 4, 100), 1);
  comparison.add(3, bytes(ones(0)), bytes(ones(off)));
  return comparison;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(op_compare)

BOOST_AUTO_TEST_CASE(a_row_is_judged_by_its_relative_distance) {
  // sqrt(100) = 10: a value that is off by d puts the row off by d / 10.
  BOOST_TEST(!compared(Nearness::single, 0.9e-3F).is_wrong());
  const OutputComparison wrong = compared(Nearness::single, 1.1e-3F);
  BOOST_REQUIRE(wrong.is_wrong());
  BOOST_TEST(wrong.wrong().row == 3U);
  BOOST_TEST(wrong.wrong().value == 99U);
  BOOST_TEST(std::abs(wrong.wrong().error - 1.1e-4) < 1e-7);
  BOOST_TEST(wrong.wrong().limit == kSingleLimit);
  BOOST_TEST(wrong.wrong().wanted == 1.0);
  BOOST_TEST(wrong.wrong().got > 1.001);
}

BOOST_AUTO_TEST_CASE(products_may_have_reduced_precision_and_say_so) {
  BOOST_TEST(!compared(Nearness::product, 0.9e-3F).is_reduced());
  const OutputComparison reduced = compared(Nearness::product, 0.2F);
  BOOST_TEST(reduced.is_reduced());
  BOOST_TEST(!reduced.is_wrong());
  BOOST_TEST(reduced.worst().limit == kReducedLimit);
  BOOST_TEST(compared(Nearness::product, 0.4F).is_wrong());
}

BOOST_AUTO_TEST_CASE(a_rounded_row_may_have_some_neighbouring_codes) {
  BOOST_TEST(!compared(Nearness::rounded, 0.2F).is_reduced());
  OutputComparison many(output(Nearness::rounded, 1, 100), 1);
  std::vector<float> off = ones(0);
  for (std::size_t i = 0; i < 50; ++i) off[i] += 0.1F;
  many.add(0, bytes(ones(0)), bytes(off));
  BOOST_TEST(many.is_reduced());
  for (float& value : off) value += 0.5F;
  many.add(0, bytes(ones(0)), bytes(off));
  BOOST_TEST(many.is_wrong());
}

BOOST_AUTO_TEST_CASE(copies_and_ids_have_equal_bits) {
  BOOST_TEST(!compared(Nearness::exact, 0).is_wrong());
  const OutputComparison wrong = compared(Nearness::exact, 1e-6F);
  BOOST_REQUIRE(wrong.is_wrong());
  BOOST_TEST(wrong.wrong().value == 99U);
  BOOST_TEST(wrong.wrong().limit == 0);
}

BOOST_AUTO_TEST_CASE(a_number_on_one_side_only_is_wrong_and_beyond_the_count_is_not_looked_at) {
  const float none = std::numeric_limits<float>::quiet_NaN();
  OutputComparison both(output(Nearness::product, 1, 100), 1);
  both.add(0, bytes(ones(none)), bytes(ones(none)));
  BOOST_TEST(!both.is_wrong());
  both.add(0, bytes(ones(0)), bytes(ones(none)), 99);
  BOOST_TEST(!both.is_wrong());
  both.add(0, bytes(ones(0)), bytes(ones(none)));
  BOOST_TEST(both.is_wrong());
}

BOOST_AUTO_TEST_CASE(another_choice_is_judged_by_the_scores_that_it_gives_up) {
  const std::vector<double> scores = {0.5, 0.9, 0.8, 0.79995, 0.1};
  const ChoiceScore score = [&scores](std::int32_t id) {
    return id < 0 ? std::numeric_limits<double>::infinity() : scores[static_cast<std::size_t>(id)];
  };
  const auto margin = [&score](std::vector<std::int32_t> a, std::vector<std::int32_t> b) {
    return choice_margin(a, b, score);
  };
  BOOST_TEST(margin({1, 2}, {1, 2}) == 0);
  BOOST_TEST(margin({1, 2}, {1, 3}) < kExpertMargin);
  BOOST_TEST(margin({1, 2}, {1, 0}) > kReducedMargin);
  BOOST_TEST(margin({2, 3}, {3, 2}) < kExpertMargin);
  BOOST_TEST(margin({1, 2}, {2, 1}) > kReducedMargin);
  BOOST_TEST(std::isinf(margin({1, 2}, {1, 1})));
  BOOST_TEST(std::isinf(margin({1, 2}, {1, -1})));
}

BOOST_AUTO_TEST_CASE(every_op_has_outputs) {
  for (const OpTraits& traits : op_table()) {
    std::vector<std::uint64_t> words((traits.struct_size + 7) / 8);
    auto& op = *reinterpret_cast<ds4_op*>(words.data());
    op.struct_size = traits.struct_size;
    op.id = traits.id;
    BOOST_TEST(!outputs_of(op).empty(), traits.name);
  }
  ds4_op unknown{};
  unknown.id = 9999;
  BOOST_TEST(outputs_of(unknown).empty());
}

BOOST_AUTO_TEST_CASE(stored_rows_of_slots_that_lie_apart_are_counted_through) {
  ds4_view ring = make_view(nullptr, 0, DS4_DTYPE_F32, {2, 3, 4});
  ring.stride[0] = 1000;
  const ViewRows rows(ring, true);
  BOOST_TEST(rows.count() == 6U);
  BOOST_TEST(rows.bytes() == 16U);
  BOOST_TEST(rows.offset(2) == 32U);
  BOOST_TEST(rows.offset(4) == 1016U);
  BOOST_TEST(rows.run(1, 1 << 20) == 2U);  // ends with the slot
  BOOST_TEST(rows.run(0, 20) == 1U);
  const ViewRows streams(make_view(nullptr, 0, DS4_DTYPE_F32, {2, 3, 4}), false);
  BOOST_TEST(streams.count() == 2U);
  BOOST_TEST(streams.bytes() == 48U);
  const std::vector<float> values = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  BOOST_TEST((streams.values(bytes(values).data()) == values));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4
