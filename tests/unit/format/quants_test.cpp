#include "format/quants/quants.hpp"

#include <openssl/sha.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace {

std::vector<float> random_row(std::size_t n, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> out(n);
  for (float& x : out) x = normal(generator);
  return out;
}

std::vector<float> round_trip(ds4::Dtype dtype, const std::vector<float>& row) {
  std::vector<std::byte> encoded(*ds4::row_bytes(dtype, row.size()));
  BOOST_TEST_REQUIRE(ds4::quantize_row(dtype, row.data(), encoded.data(), row.size()).ok());
  std::vector<float> out(row.size());
  BOOST_TEST_REQUIRE(ds4::dequantize_row(dtype, encoded.data(), out.data(), row.size()).ok());
  return out;
}

double mean_square(const std::vector<float>& a, const std::vector<float>& b, std::size_t begin,
                   std::size_t end) {
  double sum = 0;
  for (std::size_t i = begin; i < end; ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += d * d;
  }
  return sum / static_cast<double>(end - begin);
}

/// How a K format divides a super-block: `group` elements share a scale that is one of `codes`.
struct KFormat {
  ds4::Dtype dtype;
  std::size_t group;
  int levels;      // steps from the lowest to the highest code
  int codes;       // largest code of a group scale
  bool is_affine;  // has mins
};
std::ostream& operator<<(std::ostream& out, const KFormat& format) {
  return out << ds4::dtype_name(format.dtype);
}
const KFormat kFormats[] = {{ds4::Dtype::q2_k, 16, 3, 15, true},
                            {ds4::Dtype::q4_k, 32, 15, 63, true},
                            {ds4::Dtype::q5_k, 32, 31, 63, true},
                            {ds4::Dtype::q3_k, 16, 7, 31, false},
                            {ds4::Dtype::q6_k, 16, 63, 127, false}};

const ds4::Dtype kAllCoded[] = {ds4::Dtype::f32,  ds4::Dtype::f16,     ds4::Dtype::bf16,
                                ds4::Dtype::q8_0, ds4::Dtype::q4_0,    ds4::Dtype::q2_k,
                                ds4::Dtype::q3_k, ds4::Dtype::q4_k,    ds4::Dtype::q5_k,
                                ds4::Dtype::q6_k, ds4::Dtype::iq2_xxs, ds4::Dtype::mxfp4};

}  // namespace

namespace ds4 {
std::ostream& operator<<(std::ostream& out, Dtype dtype) {
  return out << dtype_name(dtype);
}
}  // namespace ds4

BOOST_AUTO_TEST_SUITE(quants)

BOOST_DATA_TEST_CASE(k_formats_lose_no_more_than_their_steps,
                     boost::unit_test::data::make(kFormats), format) {
  for (unsigned seed = 1; seed <= 8; ++seed) {
    const std::vector<float> row = random_row(256, seed);
    const std::vector<float> back = round_trip(format.dtype, row);
    // Plain rounding to `levels` steps over the range of a group is off by half a step at most; a
    // group scale (and min) rounded to a code adds half a unit of the largest one per level.
    double widest = 0;
    for (std::size_t g = 0; g < 256; g += format.group) {
      const auto [low, high] =
          std::minmax_element(row.begin() + static_cast<std::ptrdiff_t>(g),
                              row.begin() + static_cast<std::ptrdiff_t>(g + format.group));
      const double peak = std::max(std::fabs(*low), std::fabs(*high));
      const double range = format.is_affine ? std::max(0.0F, *high) - std::min(0.0F, *low)
                                            : 2 * peak * (format.levels + 1) / format.levels;
      widest = std::max(widest, range);
    }
    const double step = widest / format.levels;
    const double unit_error = 0.5 * widest / format.codes;
    const double bound = 0.5 * step + unit_error * (format.is_affine ? 2 : 1);
    for (std::size_t g = 0; g < 256; g += format.group) {
      BOOST_TEST(std::sqrt(mean_square(row, back, g, g + format.group)) <= bound);
    }
  }
}

BOOST_AUTO_TEST_CASE(more_bits_lose_less) {
  const std::vector<float> row = random_row(4096, 5);
  double before = std::numeric_limits<double>::infinity();
  for (const ds4::Dtype dtype :
       {ds4::Dtype::iq2_xxs, ds4::Dtype::q2_k, ds4::Dtype::q3_k, ds4::Dtype::q4_k, ds4::Dtype::q5_k,
        ds4::Dtype::q6_k, ds4::Dtype::q8_0, ds4::Dtype::f16}) {
    const double error = mean_square(row, round_trip(dtype, row), 0, row.size());
    BOOST_TEST_CONTEXT(ds4::dtype_name(dtype)) {
      BOOST_TEST(error < before);
    }
    before = error;
  }
}

BOOST_DATA_TEST_CASE(zeros_stay_zeros, boost::unit_test::data::make(kAllCoded), dtype) {
  const std::vector<float> zeros(512, 0.0F);
  for (const float x : round_trip(dtype, zeros)) BOOST_TEST_REQUIRE(x == 0.0F);
}

BOOST_DATA_TEST_CASE(encoding_is_deterministic_and_blocks_are_independent,
                     boost::unit_test::data::make(kAllCoded), dtype) {
  const std::vector<float> row = random_row(1024, 9);
  const std::vector<float> tail(row.begin() + 512, row.end());
  const std::vector<float> whole = round_trip(dtype, row);
  const std::vector<float> part = round_trip(dtype, tail);
  BOOST_TEST(std::equal(part.begin(), part.end(), whole.begin() + 512));
}

BOOST_AUTO_TEST_CASE(iq2_xxs_reproduces_rows_that_lie_on_its_grid) {
  // Levels 15 and 6 of d = 1/4: every element is d * (0.5 + level) / 4 * grid coordinate, signs
  // even.
  std::vector<float> row(256);
  std::mt19937 generator(3);
  for (std::size_t group = 0; group < 32; ++group) {
    const std::uint64_t point = ds4::iq2_xxs_grid()[generator() % 256];
    const float scale = 0.25F * (group / 4 % 2 == 0 ? 15.5F : 6.5F) * 0.25F;
    unsigned negatives = 0;
    for (std::size_t j = 0; j < 8; ++j) {
      bool is_negative = generator() % 2 == 0;
      if (j == 7) is_negative = negatives % 2 != 0;
      negatives += is_negative ? 1 : 0;
      const float magnitude = scale * static_cast<float>((point >> (8 * j)) & 255U);
      row[8 * group + j] = is_negative ? -magnitude : magnitude;
    }
  }
  const std::vector<float> back = round_trip(ds4::Dtype::iq2_xxs, row);
  // The search may settle on d a rounding of half away: 2^-11 relative, and levels stay the same.
  for (std::size_t i = 0; i < row.size(); ++i) {
    BOOST_TEST_REQUIRE(std::fabs(back[i] - row[i]) <= std::fabs(row[i]) * 0x1p-10F);
  }
}

BOOST_AUTO_TEST_CASE(importance_moves_the_error_away_from_weighted_columns) {
  const std::vector<float> row = random_row(256, 11);
  std::vector<float> importance(256, 0.01F);
  for (std::size_t i = 0; i < 256; i += 4) importance[i] = 100.0F;
  for (const ds4::Dtype dtype : {ds4::Dtype::q2_k, ds4::Dtype::iq2_xxs, ds4::Dtype::q4_k}) {
    std::vector<std::byte> encoded(*ds4::row_bytes(dtype, 256));
    BOOST_TEST_REQUIRE(ds4::quantize_row(dtype, row.data(), encoded.data(), 256, importance).ok());
    std::vector<float> weighted(256);
    BOOST_TEST_REQUIRE(ds4::dequantize_row(dtype, encoded.data(), weighted.data(), 256).ok());
    const std::vector<float> plain = round_trip(dtype, row);
    double with = 0;
    double without = 0;
    for (std::size_t i = 0; i < 256; i += 4) {
      with += std::pow(static_cast<double>(weighted[i] - row[i]), 2);
      without += std::pow(static_cast<double>(plain[i] - row[i]), 2);
    }
    BOOST_TEST_CONTEXT(ds4::dtype_name(dtype)) {
      BOOST_TEST(with < without);
    }
  }
}

BOOST_AUTO_TEST_CASE(extreme_but_finite_values_never_decode_to_nan) {
  std::vector<float> row(256, 1e-42F);
  for (std::size_t i = 0; i < 256; i += 7) row[i] = i % 2 == 0 ? 3e38F : -3e38F;
  const std::vector<float> small(256, -1e-42F);
  for (const ds4::Dtype dtype : kAllCoded) {
    BOOST_TEST_CONTEXT(ds4::dtype_name(dtype)) {
      for (const float x : round_trip(dtype, row)) BOOST_TEST_REQUIRE(!std::isnan(x));
      for (const float x : round_trip(dtype, small)) BOOST_TEST_REQUIRE(std::isfinite(x));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_value_that_is_not_finite_is_refused_with_its_place) {
  std::vector<float> row(32, 1.0F);
  row[17] = std::numeric_limits<float>::infinity();
  std::vector<std::byte> encoded(34);
  const auto done = ds4::quantize_row(ds4::Dtype::q8_0, row.data(), encoded.data(), 32);
  BOOST_TEST_REQUIRE(!done.ok());
  BOOST_TEST(done.error().what == "element 17 of a row is not finite");
}

BOOST_AUTO_TEST_CASE(a_type_without_a_codec_is_refused_by_name) {
  float out[256];
  const std::byte block[98]{};
  const auto done = ds4::dequantize_row(ds4::Dtype::iq3_xxs, block, out, 256);
  BOOST_TEST_REQUIRE(!done.ok());
  BOOST_TEST((done.error().code == ds4::Errc::unsupported));
  BOOST_TEST(done.error().what.find("IQ3_XXS") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_iq2_xxs_grid_has_the_published_checksum) {
  const auto grid = ds4::iq2_xxs_grid();
  BOOST_TEST(std::is_sorted(grid.begin(), grid.end(), std::less_equal<>()));
  std::array<unsigned char, 32> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(grid.data()), grid.size_bytes(), digest.data());
  std::string text;
  for (const unsigned char byte : digest) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", byte);
    text += digits;
  }
  BOOST_TEST(text == "05826b5d3e472a3a78f196be62ac78acf81df0f909626e12ab9fa2a5d490dd54");
}

BOOST_AUTO_TEST_CASE(the_iq2_xxs_grid_has_the_published_composition) {
  std::size_t counts[256]{};
  unsigned sum = 0;
  for (const std::uint64_t point : ds4::iq2_xxs_grid()) {
    unsigned middle = 0;
    for (unsigned j = 0; j < 8; ++j) {
      const auto byte = static_cast<unsigned>((point >> (8 * j)) & 255U);
      ++counts[byte];
      sum += byte;
      middle += byte == 0x19 ? 1 : 0;
    }
    BOOST_TEST_REQUIRE(middle % 2 == 0U);
  }
  BOOST_TEST(counts[0x08] == 1127U);
  BOOST_TEST(counts[0x19] == 556U);
  BOOST_TEST(counts[0x2b] == 365U);
  BOOST_TEST(sum == 38611U);
}

BOOST_AUTO_TEST_SUITE_END()
