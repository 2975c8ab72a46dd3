// Rows as they are stored and rounded, against codes worked out by hand and files that another
// program wrote.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>

#include "tests/conformance/reference/fixture.hpp"

namespace {

/// The value of e4m3fn code 0..126 by its definition.
float e4m3(int code) {
  const int exponent = code >> 3;
  const int fraction = code & 7;
  if (exponent == 0) return std::ldexp(static_cast<float>(fraction), -9);
  return std::ldexp(1.0F + static_cast<float>(fraction) / 8, exponent - 7);
}

std::vector<float> round_trip(Reference& reference, const std::vector<float>& row,
                              const ds4_rounding& rounding) {
  const auto width = static_cast<std::uint32_t>(row.size());
  auto op = make_op<ds4_op_quant_round_trip>(DS4_OP_QUANT_ROUND_TRIP, 1);
  op.x = reference.floats({1, width}, row);
  op.y = reference.tensor(DS4_DTYPE_F32, {1, width});
  op.rounding = rounding;
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  return reference.read(op.y);
}

constexpr ds4_rounding kFp8{DS4_ROUND_FP8_E4M3, 64, 0, 0};
constexpr ds4_rounding kFp4{DS4_ROUND_FP4_E2M1, 32, 0, 0};

}  // namespace

BOOST_AUTO_TEST_SUITE(roundings)

BOOST_AUTO_TEST_CASE(fp8_keeps_every_code_and_rounds_midpoints_to_even) {
  Reference reference;
  // 448 in each block makes its scale 1, so that values are codes.
  std::vector<float> row;
  std::vector<float> expected;
  const auto add = [&](float value, float kept) {
    if (row.size() % 64 == 0) {
      row.push_back(448.0F);
      expected.push_back(448.0F);
    }
    row.push_back(value);
    expected.push_back(kept);
  };
  for (int code = 0; code <= 126; ++code) {
    add(e4m3(code), e4m3(code));
    add(-e4m3(code), -e4m3(code));
    if (code == 126) continue;
    const float middle = (e4m3(code) + e4m3(code + 1)) / 2;
    add(middle, e4m3(code % 2 == 0 ? code : code + 1));
    add(std::nextafter(middle, 0.0F), e4m3(code));
    add(std::nextafter(middle, 500.0F), e4m3(code + 1));
  }
  const std::vector<float> found = round_trip(reference, row, kFp8);
  BOOST_TEST(found == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(fp8_scale_is_the_exact_ceiling_at_448_times_a_power_of_two) {
  Reference reference;
  for (int k = -12; k <= 12; ++k) {
    const float edge = std::ldexp(448.0F, k);
    const float above = std::nextafter(edge, 1e30F);
    // A value whose code differs between the scales 2^k and 2^(k + 1): 2^-9 of the smaller one.
    const float tiny = std::ldexp(1.0F, k - 9);
    BOOST_TEST(round_trip(reference, {edge, tiny}, kFp8)[1] == tiny);
    // Under the doubled scale it lies halfway between 0 and the smallest code, 0 is even.
    BOOST_TEST(round_trip(reference, {above, tiny}, kFp8)[1] == 0.0F);
    BOOST_TEST(round_trip(reference, {std::nextafter(edge, 0.0F), tiny}, kFp8)[1] == tiny);
    BOOST_TEST(round_trip(reference, {above, tiny}, kFp8)[0] == edge);
  }
}

BOOST_AUTO_TEST_CASE(fp8_floor_keeps_small_blocks_at_one_scale) {
  Reference reference;
  // 1e-4 / 448 lies in (2^-23, 2^-22], so the scale is 2^-22 and the smallest step 2^-31.
  const float step = 0x1p-31F;
  const std::vector<float> found = round_trip(reference, {step, 2.5F * step, 0.5F * step}, kFp8);
  BOOST_TEST(found[0] == step);
  BOOST_TEST(found[1] == 2 * step);
  BOOST_TEST(found[2] == 0.0F);
}

BOOST_AUTO_TEST_CASE(fp4_takes_the_nearest_code_and_ties_go_to_even) {
  Reference reference;
  const std::vector<float> row = {6.0F, 0.0F, 0.25F, 0.26F,  0.75F, 1.25F, 1.75F, 2.5F,
                                  3.5F, 5.0F, 5.1F,  -0.75F, -6.0F, 0.74F, 2.4F,  2.6F};
  const std::vector<float> expected = {6.0F, 0.0F, 0.0F, 0.5F,  1.0F,  1.0F, 2.0F, 2.0F,
                                       4.0F, 4.0F, 6.0F, -1.0F, -6.0F, 0.5F, 2.0F, 3.0F};
  BOOST_TEST(round_trip(reference, row, kFp4) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(fp4_blocks_hold_32_values_each_with_its_own_scale) {
  Reference reference;
  std::vector<float> row(64, 0.0F);
  row[0] = 6.0F;
  row[31] = 0.5F;
  row[32] = 0.5F;  // alone in its block: largest, scale 2^-3, code 4
  row[63] = 0.0625F;
  std::vector<float> expected = row;
  BOOST_TEST(round_trip(reference, row, kFp4) == expected, boost::test_tools::per_element());
  row[32] = 6.0F;  // now 0.0625 falls below half the smallest code of scale 1
  expected[32] = 6.0F;
  expected[63] = 0.0F;
  BOOST_TEST(round_trip(reference, row, kFp4) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(hadamard_twice_is_the_identity_and_once_is_natural_order) {
  Reference reference;
  const ds4_rounding hadamard{DS4_ROUND_NONE, 0, 0, DS4_ROUNDING_HADAMARD};
  std::vector<float> one_hot(4, 0.0F);
  one_hot[1] = 1.0F;
  // Column 1 of the natural-order matrix alternates fastest.
  const std::vector<float> expected = {0.5F, -0.5F, 0.5F, -0.5F};
  BOOST_TEST(round_trip(reference, one_hot, hadamard) == expected,
             boost::test_tools::per_element());
  const std::vector<float> row = spread(128, 3);
  const std::vector<float> twice =
      round_trip(reference, round_trip(reference, row, hadamard), hadamard);
  for (std::size_t i = 0; i < row.size(); ++i) {
    // Two roundings to f32 of values below sqrt(128).
    BOOST_TEST(std::fabs(twice[i] - row[i]) <= 2 * std::sqrt(128.0F) * 0x1p-24F);
  }
}

BOOST_AUTO_TEST_CASE(tail_is_left_alone_or_rounded_to_bf16) {
  Reference reference;
  std::vector<float> row(68, 1.0F + 0x1p-8F);  // halfway between two bf16, the even one is 1
  const std::vector<float> kept = round_trip(reference, row, {DS4_ROUND_FP8_E4M3, 64, 4, 0});
  BOOST_TEST(kept[67] == row[67]);
  BOOST_TEST(kept[0] == 1.0F);
  const std::vector<float> rounded =
      round_trip(reference, row, {DS4_ROUND_FP8_E4M3, 64, 4, DS4_ROUNDING_TAIL_BF16});
  BOOST_TEST(rounded[67] == 1.0F);
}

BOOST_AUTO_TEST_CASE(stored_rows_give_back_a_rounded_row_bit_for_bit) {
  Reference reference;
  struct Kind {
    std::uint32_t dtype, width, tail;
    ds4_rounding rounding;
    std::size_t bytes;
  };
  const Kind kinds[] = {
      {DS4_DTYPE_KV_ROW, 512, 64, {DS4_ROUND_FP8_E4M3, 64, 64, DS4_ROUNDING_TAIL_BF16}, 584},
      {DS4_DTYPE_KV_ROW, 86, 16, {DS4_ROUND_FP8_E4M3, 64, 16, DS4_ROUNDING_TAIL_BF16}, 104},
      {DS4_DTYPE_INDEX_ROW, 128, 0, {DS4_ROUND_FP4_E2M1, 32, 0, DS4_ROUNDING_HADAMARD}, 68},
      {DS4_DTYPE_INDEX_ROW, 16, 0, {DS4_ROUND_FP4_E2M1, 32, 0, 0}, 12}};
  for (const Kind& kind : kinds) {
    for (std::uint32_t seed = 1; seed <= 20; ++seed) {
      std::vector<float> row = spread(kind.width, seed);
      for (float& x : row) x *= std::ldexp(1.0F, static_cast<int>(seed % 9) * 4 - 20);
      const std::vector<float> rounded = round_trip(reference, row, kind.rounding);
      auto store = make_op<ds4_op_copy_cast>(DS4_OP_COPY_CAST, 1);
      store.x = reference.floats({1, kind.width}, rounded);
      store.y = reference.tensor(kind.dtype, {1, kind.width}, kind.tail);
      auto load = make_op<ds4_op_copy_cast>(DS4_OP_COPY_CAST, 1);
      load.x = store.y;
      load.y = reference.tensor(DS4_DTYPE_F32, {1, kind.width});
      BOOST_TEST_REQUIRE(reference.enqueue({&store.op, &load.op}) == DS4_OK, reference.text());
      BOOST_TEST(reference.read_bytes(store.y).size() == kind.bytes);
      BOOST_TEST(std::memcmp(reference.read(load.y).data(), rounded.data(), 4 * rounded.size()) ==
                 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(an_index_row_puts_even_values_into_low_nibbles) {
  Reference reference;
  std::vector<float> row(32, 0.0F);
  row[0] = 6.0F;
  row[1] = -0.5F;
  row[3] = 1.5F;
  auto op = make_op<ds4_op_copy_cast>(DS4_OP_COPY_CAST, 1);
  op.x = reference.floats({1, 32}, row);
  op.y = reference.tensor(DS4_DTYPE_INDEX_ROW, {1, 32});
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  const std::vector<std::uint8_t> bytes = reference.read_bytes(op.y);
  BOOST_TEST(bytes.size() == 20U);
  BOOST_TEST(bytes[0] == 0x97);
  BOOST_TEST(bytes[1] == 0x30);
  BOOST_TEST(bytes[16] == 127);  // 6 / 6 = 2^0
}

struct Format {
  const char* name;
  std::uint32_t dtype;
};
std::ostream& operator<<(std::ostream& out, const Format& format) {
  return out << format.name;
}
const Format kFormats[] = {
    {"f16", DS4_DTYPE_F16},         {"bf16", DS4_DTYPE_BF16},   {"q8_0", DS4_DTYPE_Q8_0},
    {"q4_0", DS4_DTYPE_Q4_0},       {"q2_k", DS4_DTYPE_Q2_K},   {"q3_k", DS4_DTYPE_Q3_K},
    {"q4_k", DS4_DTYPE_Q4_K},       {"q5_k", DS4_DTYPE_Q5_K},   {"q6_k", DS4_DTYPE_Q6_K},
    {"iq2_xxs", DS4_DTYPE_IQ2_XXS}, {"mxfp4", DS4_DTYPE_MXFP4},
};

BOOST_DATA_TEST_CASE(weights_decode_as_another_program_decodes_them,
                     boost::unit_test::data::make(kFormats), format) {
  const auto shape = ds4::sdk::block_shape(format.dtype);
  std::ifstream in(std::string(DS4_SOURCE_DIR) + "/tests/golden/quants/" + format.name + ".decode",
                   std::ios::binary);
  const std::vector<char> file{std::istreambuf_iterator<char>(in), {}};
  // Blocks, then the floats of the same elements.
  const std::size_t blocks = file.size() / (shape.bytes + 4 * shape.values);
  BOOST_TEST_REQUIRE(blocks > 0U);
  const auto n = static_cast<std::uint32_t>(blocks * shape.values);
  Reference reference;
  auto op = make_op<ds4_op_gather_rows>(DS4_OP_GATHER_ROWS, 1);
  op.weight =
      reference.packed(format.dtype, DS4_ROLE_MATRIX, {1, n}, file.data(), blocks * shape.bytes);
  op.ids = reference.ints({1}, {0});
  op.y = reference.tensor(DS4_DTYPE_F32, {1, n});
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  const std::vector<float> found = reference.read(op.y);
  std::vector<float> expected(n);
  std::memcpy(expected.data(), file.data() + blocks * shape.bytes, 4 * std::size_t{n});
  for (std::size_t i = 0; i < n; ++i) {
    const bool is_same =
        found[i] == expected[i] || (found[i] != found[i] && expected[i] != expected[i]);
    BOOST_TEST_REQUIRE(is_same, "value " << i << ": " << found[i] << " is not " << expected[i]);
  }
}

BOOST_AUTO_TEST_SUITE_END()
