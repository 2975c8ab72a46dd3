#include "bench/ops/kernel.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <set>

#include "ops/views.hpp"

namespace ds4::bench {
namespace {

ShapedWeight shaped(std::uint32_t role, std::uint32_t dtype,
                    std::initializer_list<std::uint32_t> extents, std::uint64_t bytes) {
  ShapedWeight weight;
  weight.desc.role = role;
  weight.desc.dtype = dtype;
  weight.desc.bytes = bytes;
  for (const std::uint32_t extent : extents) weight.desc.extent[weight.desc.rank++] = extent;
  return weight;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bench_kernel)

BOOST_AUTO_TEST_CASE(a_matrix_is_read_once_and_multiplied_with_every_row) {
  const ShapedWeight q_b = shaped(DS4_ROLE_MATRIX, DS4_DTYPE_Q8_0, {32768, 1024}, 35651584);
  const OpCost cost = weight_cost(q_b.desc, {.rows = 8});
  BOOST_TEST(cost.bytes == 35651584.0);
  BOOST_TEST(cost.macs == 8.0 * 32768 * 1024);
}

BOOST_AUTO_TEST_CASE(of_experts_and_tables_only_what_is_chosen_counts) {
  // performance.md 1.2: gate of an expert is 2048 x 4096 of IQ2_XXS, 2,162,688 bytes.
  const ShapedWeight gate =
      shaped(DS4_ROLE_EXPERT_GATE, DS4_DTYPE_IQ2_XXS, {256, 2048, 4096}, 256ULL * 2162688);
  const OpCost cost = weight_cost(gate.desc, {.rows = 2, .experts = 11, .pairs = 12});
  BOOST_TEST(cost.bytes == 11.0 * 2162688);
  BOOST_TEST(cost.macs == 12.0 * 2048 * 4096);
  const ShapedWeight table = shaped(DS4_ROLE_EMBEDDING, DS4_DTYPE_F16, {100, 8}, 1600);
  BOOST_TEST(weight_cost(table.desc, {.rows = 3}).bytes == 48.0);
  BOOST_TEST(weight_cost(table.desc, {.rows = 3}).macs == 0.0);
}

BOOST_AUTO_TEST_CASE(rows_of_a_view_are_counted_without_their_gaps) {
  ds4_view view = make_view(nullptr, 0, DS4_DTYPE_F32, {10, 4, 16});
  view.stride[0] *= 2;
  BOOST_TEST(row_bytes_of(view, 3) == 3.0 * 4 * 16 * 4);
  BOOST_TEST(row_bytes_of(view, 99) == 10.0 * 4 * 16 * 4);
  BOOST_TEST(row_bytes_of(make_view(nullptr, 0, DS4_DTYPE_KV_ROW, {5, 512}, 64), 2) == 2.0 * 584);
  BOOST_TEST(row_bytes_of(make_view(nullptr, 0, DS4_DTYPE_I32, {5}), 2) == 8.0);
}

BOOST_AUTO_TEST_CASE(texts_name_matrices_and_types_once) {
  const ShapedWeight gain = shaped(DS4_ROLE_VECTOR, DS4_DTYPE_F32, {1024}, 4096);
  const ShapedWeight a = shaped(DS4_ROLE_MATRIX, DS4_DTYPE_Q8_0, {1024, 4096}, 1);
  const ShapedWeight b = shaped(DS4_ROLE_MATRIX, DS4_DTYPE_Q8_0, {32768, 1024}, 1);
  const ShapedWeight c = shaped(DS4_ROLE_MATRIX, DS4_DTYPE_F16, {64, 4096}, 1);
  BOOST_TEST(matrices_text({&a, &gain, &b, &c}) == "1024x4096+32768x1024+64x4096");
  BOOST_TEST(types_text({&a, &gain, &b, &c}) == "q8_0+f16");
}

BOOST_AUTO_TEST_CASE(lists_have_different_ids_in_a_row) {
  const auto lists = draw_lists(4, 3, 6, 8, true);
  BOOST_TEST_REQUIRE(lists.size() == 4U);
  for (const auto& list : lists) {
    BOOST_TEST_REQUIRE(list.size() == 18U);
    for (std::size_t row = 0; row < 3; ++row) {
      const auto begin = list.begin() + static_cast<std::ptrdiff_t>(6 * row);
      BOOST_TEST(std::is_sorted(begin, begin + 6));
      const std::set<std::int32_t> ids(begin, begin + 6);
      BOOST_TEST(ids.size() == 6U);
      BOOST_TEST(*ids.begin() >= 0);
      BOOST_TEST(*ids.rbegin() < 8);
    }
  }
  BOOST_TEST(lists[0] != lists[1]);
  const auto few = draw_lists(1, 1, 5, 3, true);
  BOOST_TEST(few[0] == (std::vector<std::int32_t>{0, 1, 2, -1, -1}),
             boost::test_tools::per_element());
  BOOST_TEST(distinct_ids(few) == 3.0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::bench
