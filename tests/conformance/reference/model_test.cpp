// The steps of the forward pass, each against numbers that follow from its definition by hand
// (model.md 3 and the mistakes of model.md 10).
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

#include "tests/conformance/reference/fixture.hpp"

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

/// Half a unit in the last place of an f32 result, for values computed in double.
double f32_bound(double value) {
  return std::fabs(value) * 0x1p-24 + 1e-300;
}

void check_close(const std::vector<float>& found, const std::vector<double>& expected,
                 double ulps = 1) {
  BOOST_TEST_REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double bound = ulps * f32_bound(expected[i]);
    BOOST_TEST(std::fabs(found[i] - expected[i]) <= bound,
               i << ": " << found[i] << " is not " << expected[i]);
  }
}

std::vector<float> rotate(Reference& reference, const std::vector<float>& x, std::int32_t position,
                          const ds4_rope& rope) {
  const auto width = static_cast<std::uint32_t>(x.size());
  auto op = make_op<ds4_op_rope_tail>(DS4_OP_ROPE_TAIL, 1);
  op.x = reference.floats({1, width}, x);
  op.y = reference.tensor(DS4_DTYPE_F32, {1, width});
  op.positions = reference.ints({1}, {position});
  op.rope = rope;
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  return reference.read(op.y);
}

const ds4_rope kPlain{64, 0, 0, 0, 10000, 1, 32, 1};
const ds4_rope kYarn{64, DS4_ROPE_YARN, 65536, 0, 160000, 16, 32, 1};

/// One head of width 2 over the rows given, one source, one step row.
std::vector<float> attend(Reference& reference, std::uint32_t id, const std::vector<float>& stored,
                          const float* sink) {
  const auto rows = static_cast<std::uint32_t>(stored.size() / 2);
  auto op = make_op<ds4_op_attention>(id, 1);
  op.q = reference.floats({1, 1, 2}, {1.0F, 0.0F});
  op.y = reference.tensor(DS4_DTYPE_F32, {1, 1, 2});
  op.source[0] = range_source(reference.floats({rows, 2}, stored),
                              reference.ints({1, 2}, {0, static_cast<std::int32_t>(rows)}));
  op.scale = 1;
  if (sink != nullptr) op.sink = reference.weight(DS4_ROLE_VECTOR, {1}, {*sink});
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  return reference.read(op.y);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(forward_steps)

BOOST_AUTO_TEST_CASE(rope_turns_the_last_values_in_adjacent_pairs) {
  Reference reference;
  std::vector<float> x(512, 0.0F);
  x[448] = 1.0F;
  const std::vector<float> y = rotate(reference, x, 5, kPlain);
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (i != 448 && i != 449) BOOST_TEST(y[i] == 0.0F);
  }
  check_close({y[448], y[449]}, {std::cos(5.0), std::sin(5.0)});
}

BOOST_AUTO_TEST_CASE(rope_frequencies_are_those_of_the_table) {
  Reference reference;
  // f_i read back as an angle: position 1, one hot at pair i (model.md 3.5).
  const struct {
    std::uint32_t pair;
    double plain, yarn;
  } rows[] = {{0, 1, 1},
              {1, 0.749894209, 0.687656022},
              {8, 0.1, 0.05},
              {15, 0.0133352143, 0.00363553858},
              {16, 0.01, 0.002265625},
              {20, 0.00316227766, 0.000296977778},
              {24, 0.001, 1.953125e-05},
              {25, 0.000749894209, 5.37231267e-06},
              {31, 0.000133352143, 5.68052904e-07}};
  for (const auto& row : rows) {
    std::vector<float> x(64, 0.0F);
    x[2 * row.pair] = 1.0F;
    const auto angle = [&](const ds4_rope& rope) {
      const std::vector<float> y = rotate(reference, x, 1, rope);
      return std::atan2(double{y[2 * row.pair + 1]}, double{y[2 * row.pair]});
    };
    // The table has nine digits; sine and cosine are f32.
    BOOST_TEST(std::fabs(angle(kPlain) / row.plain - 1) <= 2e-7);
    BOOST_TEST(std::fabs(angle(kYarn) / row.yarn - 1) <= 2e-7);
  }
}

BOOST_AUTO_TEST_CASE(rope_angle_is_an_f32_product) {
  Reference reference;
  std::vector<float> x(64, 0.0F);
  x[2] = 1.0F;
  const std::int32_t position = 1000003;
  const auto frequency = static_cast<float>(std::pow(10000.0, -2.0 / 64));
  const float angle = static_cast<float>(position) * frequency;
  const std::vector<float> y = rotate(reference, x, position, kPlain);
  check_close({y[2], y[3]}, {std::cos(double{angle}), std::sin(double{angle})});
}

BOOST_AUTO_TEST_CASE(inverse_rope_undoes_rope) {
  Reference reference;
  const std::vector<float> x = spread(64, 1);
  ds4_rope back = kYarn;
  back.flags |= DS4_ROPE_INVERSE;
  const std::vector<float> y = rotate(reference, rotate(reference, x, 777, kYarn), 777, back);
  // Two roundings of values below sqrt(2).
  for (std::size_t i = 0; i < x.size(); ++i) BOOST_TEST(std::fabs(y[i] - x[i]) <= 4 * 0x1p-24F);
}

BOOST_AUTO_TEST_CASE(hyper_connection_gates_at_zero_are_known_numbers) {
  Reference reference;
  auto op = make_op<ds4_op_sinkhorn_split>(DS4_OP_SINKHORN_SPLIT, 1);
  op.scale = reference.weight(DS4_ROLE_VECTOR, {3}, {1, 1, 1});
  op.base = reference.weight(DS4_ROLE_VECTOR, {24}, std::vector<float>(24, 0.0F));
  op.mixes = reference.floats({1, 24}, std::vector<float>(24, 0.0F));
  op.pre = reference.tensor(DS4_DTYPE_F32, {1, 4});
  op.post = reference.tensor(DS4_DTYPE_F32, {1, 4});
  op.comb = reference.tensor(DS4_DTYPE_F32, {1, 4, 4});
  op.eps = 1e-6;
  op.iterations = 20;
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  for (const float post : reference.read(op.post)) BOOST_TEST(post == 1.0F);
  check_close(reference.read(op.pre), std::vector<double>(4, 0.5 + 1e-6));
  // All entries stay equal: each normalisation maps m to m / (4 m + eps).
  double m = 0.25 + 1e-6;
  for (int i = 0; i < 39; ++i) m = m / (4 * m + 1e-6);
  check_close(reference.read(op.comb), std::vector<double>(16, m));
}

BOOST_AUTO_TEST_CASE(sinkhorn_normalises_columns_last) {
  Reference reference;
  for (const std::uint32_t iterations : {1u, 2u, 20u}) {
    auto op = make_op<ds4_op_sinkhorn_split>(DS4_OP_SINKHORN_SPLIT, 1);
    op.scale = reference.weight(DS4_ROLE_VECTOR, {3}, {1, 1, 1});
    op.base = reference.weight(DS4_ROLE_VECTOR, {8}, std::vector<float>(8, 0.0F));
    op.mixes = reference.floats({1, 8}, {0, 0, 0, 0, 2.0F, 0.0F, 0.5F, 0.0F});
    op.pre = reference.tensor(DS4_DTYPE_F32, {1, 2});
    op.post = reference.tensor(DS4_DTYPE_F32, {1, 2});
    op.comb = reference.tensor(DS4_DTYPE_F32, {1, 2, 2});
    op.eps = 1e-6;
    op.iterations = iterations;
    BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
    const std::vector<float> comb = reference.read(op.comb);
    // eps keeps a column sum within 1e-6 / sum of 1, and the sums lie above 0.5.
    BOOST_TEST(std::fabs(comb[0] + comb[2] - 1) <= 2e-6 + 2 * 0x1p-24);
    BOOST_TEST(std::fabs(comb[1] + comb[3] - 1) <= 2e-6 + 2 * 0x1p-24);
    const double rows_off = std::fabs(comb[0] + comb[1] - 1);
    if (iterations == 1) {
      // By hand: row softmax of (2, 0) and (0.5, 0), then columns.
      const double a = 1 / (1 + std::exp(-2.0)) + 1e-6;
      const double b = 1 / (1 + std::exp(2.0)) + 1e-6;
      const double c = 1 / (1 + std::exp(-0.5)) + 1e-6;
      const double d = 1 / (1 + std::exp(0.5)) + 1e-6;
      check_close(comb,
                  {a / (a + c + 1e-6), b / (b + d + 1e-6), c / (a + c + 1e-6), d / (b + d + 1e-6)});
      BOOST_TEST(rows_off > 1e-2);
    } else if (iterations == 20) {
      BOOST_TEST(rows_off <= 1e-5);
    }
  }
}

BOOST_AUTO_TEST_CASE(hc_post_sends_source_rows_to_destination_columns) {
  Reference reference;
  auto op = make_op<ds4_op_hc_post>(DS4_OP_HC_POST, 1);
  op.x = reference.floats({1, 3, 1}, {1.0F, 10.0F, 100.0F});
  op.out = reference.floats({1, 1}, {1000.0F});
  op.post = reference.floats({1, 3}, {0.0F, 1.0F, 2.0F});
  // Source 0 goes to stream 1, 1 to 2, 2 to 0.
  op.comb = reference.floats({1, 3, 3}, {0, 1, 0, 0, 0, 1, 1, 0, 0});
  op.y = reference.tensor(DS4_DTYPE_F32, {1, 3, 1});
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  const std::vector<float> expected = {100.0F, 1001.0F, 2010.0F};
  BOOST_TEST(reference.read(op.y) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(hc_pre_sums_the_streams_as_they_are) {
  Reference reference;
  // fn = 0: pre is 0.5 + eps whatever the streams are, so y before its norm scales with x; the
  // norm removes the scale, eps in the root hardly matters.
  for (const float scale : {1.0F, 10.0F}) {
    auto op = make_op<ds4_op_hc_pre>(DS4_OP_HC_PRE, 1);
    op.x = reference.floats({1, 2, 2}, {scale, 3 * scale, scale, 5 * scale});
    op.fn = reference.weight(DS4_ROLE_HC_MIX, {8, 4}, std::vector<float>(32, 0.0F));
    op.scale = reference.weight(DS4_ROLE_VECTOR, {3}, {1, 1, 1});
    op.base = reference.weight(DS4_ROLE_VECTOR, {8}, std::vector<float>(8, 0.0F));
    op.gain = reference.weight(DS4_ROLE_VECTOR, {2}, {1.0F, 2.0F});
    op.y = reference.tensor(DS4_DTYPE_F32, {1, 2});
    op.post = reference.tensor(DS4_DTYPE_F32, {1, 2});
    op.comb = reference.tensor(DS4_DTYPE_F32, {1, 2, 2});
    op.eps = 1e-6;
    op.hc_eps = 1e-6;
    op.iterations = 20;
    BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
    const double a = (0.5 + 1e-6) * 2 * scale;
    const double b = (0.5 + 1e-6) * 8 * scale;
    const double norm = 1 / std::sqrt((a * a + b * b) / 2 + 1e-6);
    check_close(reference.read(op.y), {a * norm, 2 * b * norm});
  }
}

BOOST_AUTO_TEST_CASE(swiglu_clamps_the_gate_above_only) {
  Reference reference;
  auto op = make_op<ds4_op_swiglu_clamp>(DS4_OP_SWIGLU_CLAMP, 1);
  op.gate = reference.floats({1, 5}, {-20.0F, 20.0F, 1.0F, 1.0F, 20.0F});
  op.up = reference.floats({1, 5}, {1.0F, 1.0F, 20.0F, -20.0F, 20.0F});
  op.y = reference.tensor(DS4_DTYPE_F32, {1, 5});
  op.limit = 10;
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  const auto silu = [](double z) { return z / (1 + std::exp(-z)); };
  check_close(reference.read(op.y),
              {silu(-20), silu(10), 10 * silu(1), -10 * silu(1), 10 * silu(10)});
  op.limit = 0;
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  check_close(reference.read(op.y),
              {silu(-20), silu(20), 20 * silu(1), -20 * silu(1), 20 * silu(20)});
}

BOOST_AUTO_TEST_CASE(topk_breaks_ties_by_the_lower_id_and_pads) {
  Reference reference;
  const std::vector<float> x = {1.0F, 3.0F, -kInf, 3.0F, std::nanf(""), 2.0F};
  for (const std::uint32_t id : {DS4_OP_TOPK, DS4_OP_SAMPLE_TOPK}) {
    auto op = make_op<ds4_op_topk>(id, 1);
    op.x = reference.floats({1, 6}, x);
    op.ids = reference.tensor(DS4_DTYPE_I32, {1, 6});
    BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
    const std::vector<std::int32_t> expected = {1, 3, 5, 0, 4, -1};
    BOOST_TEST(reference.read_ints(op.ids) == expected, boost::test_tools::per_element());
  }
  auto ascending = make_op<ds4_op_index_topk>(DS4_OP_INDEX_TOPK, 1);
  ascending.scores = reference.floats({1, 6}, std::vector<float>(6, 0.0F));
  ascending.count = reference.ints({1}, {5});
  ascending.ids = reference.tensor(DS4_DTYPE_I32, {1, 3});
  BOOST_TEST_REQUIRE(reference.run(ascending) == DS4_OK, reference.text());
  const std::vector<std::int32_t> lowest = {0, 1, 2};
  BOOST_TEST(reference.read_ints(ascending.ids) == lowest, boost::test_tools::per_element());
  ascending.count = reference.ints({1}, {2});
  BOOST_TEST_REQUIRE(reference.run(ascending) == DS4_OK, reference.text());
  const std::vector<std::int32_t> few = {0, 1, -1};
  BOOST_TEST(reference.read_ints(ascending.ids) == few, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(sink_only_adds_to_the_denominator) {
  Reference reference;
  const std::vector<float> stored = {1.0F, 2.0F, -1.0F, 4.0F};
  const double a = std::exp(1.0);
  const double b = std::exp(-1.0);
  for (const std::uint32_t id : {DS4_OP_ATTENTION_ROWS, DS4_OP_ATTN_DECODE}) {
    check_close(attend(reference, id, stored, nullptr),
                {(a - b) / (a + b), (2 * a + 4 * b) / (a + b)});
    const float none = -kInf;
    check_close(attend(reference, id, stored, &none),
                {(a - b) / (a + b), (2 * a + 4 * b) / (a + b)});
    const float zero = 0.0F;
    check_close(attend(reference, id, stored, &zero),
                {(a - b) / (a + b + 1), (2 * a + 4 * b) / (a + b + 1)});
    const float high = 50.0F;
    const double scale = std::exp(-50.0);
    check_close(attend(reference, id, stored, &high), {(a - b) * scale, (2 * a + 4 * b) * scale});
  }
}

BOOST_AUTO_TEST_CASE(attention_without_any_row_gives_zero) {
  Reference reference;
  for (const std::uint32_t id : {DS4_OP_ATTENTION_ROWS, DS4_OP_ATTN_DECODE}) {
    auto op = make_op<ds4_op_attention>(id, 1);
    op.q = reference.floats({1, 1, 2}, {1.0F, 0.0F});
    op.y = reference.tensor(DS4_DTYPE_F32, {1, 1, 2});
    op.source[0] =
        range_source(reference.floats({1, 2}, {1.0F, 1.0F}), reference.ints({1, 2}, {0, 0}));
    op.scale = 1;
    BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
    const std::vector<float> zero = {0.0F, 0.0F};
    BOOST_TEST(reference.read(op.y) == zero, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(attention_walks_a_ring_and_pages_by_their_slots) {
  Reference reference;
  // Two slots of four ring rows; slot 1 at positions 3..5 has rows 3, 0, 1 of its ring. Values are
  // told apart by their size; q = 0 gives all of them the same weight.
  std::vector<float> ring(8);
  for (std::size_t i = 0; i < 8; ++i) ring[i] = static_cast<float>(std::pow(10.0, double(i % 4)));
  for (std::size_t i = 0; i < 4; ++i) ring[i] = 1e9F;
  for (const std::uint32_t id : {DS4_OP_ATTENTION_ROWS, DS4_OP_ATTN_DECODE}) {
    auto op = make_op<ds4_op_attention>(id, 1);
    op.q = reference.floats({1, 1, 1}, {0.0F});
    op.y = reference.tensor(DS4_DTYPE_F32, {1, 1, 1});
    op.scale = 1;
    op.source[0] = range_source(reference.floats({2, 4, 1}, ring), reference.ints({1, 2}, {3, 3}));
    op.source[0].wrap = 4;
    op.source[0].slot = reference.ints({1}, {1});
    op.source[2].kind = DS4_SOURCE_PAGES;
    op.source[2].page_rows = 2;
    op.source[2].rows = reference.floats({6, 1}, {1e9F, 1e9F, 3e5F, 1e9F, 1e4F, 2e4F});
    op.source[2].count = reference.ints({1}, {3});
    op.source[2].slot = reference.ints({1}, {1});
    op.source[2].table = reference.ints({2, 2}, {-1, -1, 2, 1});
    BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
    // Ring 1000 + 1 + 10, pages 2 then 1: 1e4 + 2e4 + 3e5.
    check_close(reference.read(op.y), {(1011.0 + 330000.0) / 6});
  }
}

BOOST_AUTO_TEST_CASE(fused_attention_turns_the_output_back_by_the_row_position) {
  Reference reference;
  const ds4_rope rope{2, DS4_ROPE_INVERSE, 0, 0, 10000, 1, 32, 1};
  auto op = make_op<ds4_op_attention>(DS4_OP_ATTN_PREFILL_WINDOW, 2);
  op.q = reference.floats({2, 1, 2}, {0, 0, 0, 0});
  op.y = reference.tensor(DS4_DTYPE_F32, {2, 1, 2});
  op.positions = reference.ints({2}, {0, 5});
  op.source[1] =
      range_source(reference.floats({1, 2}, {1.0F, 0.0F}), reference.ints({2, 2}, {0, 1, 0, 1}));
  op.scale = 1;
  op.rope = rope;
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  check_close(reference.read(op.y), {1.0, 0.0, std::cos(5.0), -std::sin(5.0)});
}

BOOST_AUTO_TEST_CASE(first_overlapping_window_pools_over_four_entries) {
  Reference reference;
  // Pairs of width 1 with overlap: value halves, then score halves. Work rows 0..3 are the first
  // window: only their second halves count, and the previous window is left out.
  std::vector<float> work;
  for (int i = 0; i < 8; ++i) {
    work.insert(work.end(), {1000.0F + static_cast<float>(i), static_cast<float>(i), 0.0F, 0.0F});
  }
  auto op = make_op<ds4_op_softmax_pool>(DS4_OP_SOFTMAX_POOL, 2, DS4_POOL_OVERLAP);
  op.ring = reference.tensor(DS4_DTYPE_F32, {1, 2, 4});  // NaN: nobody may read it
  op.work = reference.floats({8, 4}, work);
  op.list = reference.ints({2, 8}, {-1, -1, -1, -1, 2, 3, 4, 5, 2, 3, 4, 5, 6, 7, 8, 9});
  op.y = reference.tensor(DS4_DTYPE_F32, {2, 1});
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  // Row 1: first halves of tokens 0..3 (1000..1003) and second halves of tokens 4..7.
  check_close(reference.read(op.y), {(0 + 1 + 2 + 3) / 4.0, (4006.0 + 4 + 5 + 6 + 7) / 8});
}

BOOST_AUTO_TEST_CASE(pooling_weighs_each_column_by_its_own_scores) {
  Reference reference;
  auto op = make_op<ds4_op_softmax_pool>(DS4_OP_SOFTMAX_POOL, 2);
  // Two columns, two pairs: column 0 picks the first, column 1 the second.
  op.ring = reference.floats({1, 1, 4}, {1.0F, 2.0F, 100.0F, -100.0F});
  op.work = reference.floats({1, 4}, {3.0F, 4.0F, -100.0F, 100.0F});
  op.list = reference.ints({2, 2}, {0, 1, -1, -1});
  op.y = reference.tensor(DS4_DTYPE_F32, {2, 2});
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  check_close(reference.read(op.y), {1.0, 4.0, 0.0, 0.0});
}

BOOST_AUTO_TEST_CASE(emitted_row_carries_the_rotation_of_its_window_start) {
  Reference reference;
  auto op = make_op<ds4_op_compress_emit>(DS4_OP_COMPRESS_EMIT, 1);
  op.gain = reference.weight(DS4_ROLE_VECTOR, {2}, {1.0F, 1.0F});
  op.work = reference.floats({1, 4}, {3.0F, 0.0F, 0.0F, 0.0F});
  op.list = reference.ints({1, 1}, {0});
  op.positions = reference.ints({1}, {20});
  op.ids = reference.ints({1}, {2});
  op.pool = reference.tensor(DS4_DTYPE_F32, {3, 2});
  op.rope = {2, 0, 0, 0, 10000, 1, 32, 1};
  op.eps = 0;
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  const std::vector<float> pool = reference.read(op.pool);
  const double size = std::sqrt(2.0);  // the norm of (3, 0) is (sqrt 2, 0)
  check_close({pool[4], pool[5]}, {size * std::cos(20.0), size * std::sin(20.0)}, 2);
  BOOST_TEST(std::isnan(pool[0]));  // other rows stay as they were
}

BOOST_AUTO_TEST_CASE(output_groups_are_contiguous_heads) {
  Reference reference;
  auto op = make_op<ds4_op_attn_out>(DS4_OP_ATTN_OUT, 1);
  // Four heads of width 1 in two groups; wo_a sums a group, wo_b passes it on.
  op.o = reference.floats({1, 4, 1}, {1.0F, 2.0F, 0.0F, 0.0F});
  op.wo_a = reference.weight(DS4_ROLE_GROUPED, {2, 1, 2}, {1, 1, 1, 1});
  op.wo_b = reference.weight(DS4_ROLE_MATRIX, {2, 2}, {1, 0, 0, 1});
  op.y = reference.tensor(DS4_DTYPE_F32, {1, 2});
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  const std::vector<float> expected = {3.0F, 0.0F};
  BOOST_TEST(reference.read(op.y) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(router_bias_chooses_but_does_not_weigh) {
  Reference reference;
  auto op = make_op<ds4_op_route>(DS4_OP_ROUTE, 1);
  op.v = reference.floats({1, 1}, {1.0F});
  op.gate = reference.weight(DS4_ROLE_ROUTER, {4, 1}, {0.0F, 1.0F, 2.0F, 3.0F});
  op.bias = reference.weight(DS4_ROLE_VECTOR, {4}, {100.0F, 0.0F, 0.0F, 0.0F});
  op.ids = reference.tensor(DS4_DTYPE_I32, {1, 2});
  op.weights = reference.tensor(DS4_DTYPE_F32, {1, 2});
  op.floor = 0x1p-14;
  op.scale = 1.5;
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  const std::vector<std::int32_t> chosen = {0, 3};
  BOOST_TEST(reference.read_ints(op.ids) == chosen, boost::test_tools::per_element());
  const auto score = [](double z) { return std::sqrt(std::log1p(std::exp(z))); };
  const double sum = score(0) + score(3);
  check_close(reference.read(op.weights), {1.5 * score(0) / sum, 1.5 * score(3) / sum});
}

BOOST_AUTO_TEST_CASE(hash_layers_take_experts_by_token_even_twice_the_same) {
  Reference reference;
  const std::vector<std::int32_t> table = {0, 0, 2, 1};
  auto op = make_op<ds4_op_route>(DS4_OP_ROUTE, 2);
  op.v = reference.floats({2, 1}, {1.0F, 1.0F});
  op.gate = reference.weight(DS4_ROLE_ROUTER, {3, 1}, {0.0F, 1.0F, 30.0F});
  op.table = reference.packed(DS4_DTYPE_I32, DS4_ROLE_TOKEN_TABLE, {2, 2}, table.data(), 16);
  op.tokens = reference.ints({2}, {1, 0});
  op.ids = reference.tensor(DS4_DTYPE_I32, {2, 2});
  op.weights = reference.tensor(DS4_DTYPE_F32, {2, 2});
  op.floor = 0x1p-14;
  op.scale = 1;
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  const std::vector<std::int32_t> chosen = {2, 1, 0, 0};
  BOOST_TEST(reference.read_ints(op.ids) == chosen, boost::test_tools::per_element());
  const double two = std::sqrt(30.0);  // above 20 softplus is the identity
  const double one = std::sqrt(std::log1p(std::exp(1.0)));
  check_close(reference.read(op.weights), {two / (two + one), one / (two + one), 0.5, 0.5});
}

BOOST_AUTO_TEST_CASE(experts_repeat_and_skip) {
  Reference reference;
  auto op = make_op<ds4_op_moe_routed>(DS4_OP_MOE_ROUTED, 2);
  op.v = reference.floats({2, 1}, {1.0F, 2.0F});
  op.gate = reference.weight(DS4_ROLE_EXPERT_GATE, {2, 1, 1}, {1.0F, 50.0F});
  op.up = reference.weight(DS4_ROLE_EXPERT_UP, {2, 1, 1}, {1.0F, 1.0F});
  op.down = reference.weight(DS4_ROLE_EXPERT_DOWN, {2, 1, 1}, {2.0F, 3.0F});
  op.ids = reference.ints({2, 2}, {0, 0, 1, -1});
  op.weights = reference.floats({2, 2}, {0.25F, 0.5F, 1.0F, 7.0F});
  op.y = reference.tensor(DS4_DTYPE_F32, {2, 1});
  op.limit = 10;
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  const auto silu = [](double z) { return z / (1 + std::exp(-z)); };
  check_close(reference.read(op.y), {0.75 * 2 * silu(1), 3 * 2 * silu(10)});
}

BOOST_AUTO_TEST_CASE(index_scores_take_relu_before_the_head_weights) {
  Reference reference;
  auto op = make_op<ds4_op_index_score>(DS4_OP_INDEX_SCORE, 1);
  op.heads = 2;
  op.dim = 1;
  op.qr = reference.floats({1, 1}, {1.0F});
  op.u = reference.floats({1, 1}, {2.0F});
  op.wq_b = reference.weight(DS4_ROLE_MATRIX, {2, 1}, {1.0F, -1.0F});
  op.proj = reference.weight(DS4_ROLE_MATRIX, {2, 1}, {-3.0F, 5.0F});
  op.keys.kind = DS4_SOURCE_PAGES;
  op.keys.page_rows = 2;
  op.keys.rows = reference.floats({2, 1}, {1.0F, -1.0F});
  op.keys.count = reference.ints({1}, {2});
  op.keys.slot = reference.ints({1}, {0});
  op.keys.table = reference.ints({1, 1}, {0});
  op.scores = reference.tensor(DS4_DTYPE_F32, {1, 2});
  op.scale = 0.5;
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  // Entry 0: only head 0 is positive: -3 * 2 * 0.5 * 1; entry 1: only head 1: 5 * 2 * 0.5 * 1.
  check_close(reference.read(op.scores), {-3.0, 5.0});
}

BOOST_AUTO_TEST_CASE(query_heads_have_mean_square_one) {
  Reference reference;
  auto op = make_op<ds4_op_q_project>(DS4_OP_Q_PROJECT, 1);
  op.u = reference.floats({1, 4}, spread(4, 1));
  op.wq_a = reference.weight(DS4_ROLE_MATRIX, {3, 4}, spread(12, 2));
  op.gain = reference.weight(DS4_ROLE_VECTOR, {3}, {1.0F, 2.0F, 3.0F});
  op.wq_b = reference.weight(DS4_ROLE_MATRIX, {16, 3}, spread(48, 3));
  op.positions = reference.ints({1}, {9});
  op.qr = reference.tensor(DS4_DTYPE_F32, {1, 3});
  op.q = reference.tensor(DS4_DTYPE_F32, {1, 2, 8});
  op.rope = {4, 0, 0, 0, 10000, 1, 32, 1};
  op.eps = 0;
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  const std::vector<float> q = reference.read(op.q);
  for (std::size_t h = 0; h < 2; ++h) {
    double square = 0;
    for (std::size_t d = 0; d < 8; ++d) square += double{q[8 * h + d]} * q[8 * h + d];
    BOOST_TEST(std::fabs(square / 8 - 1) <= 2 * 0x1p-24 * 2);
  }
}

BOOST_AUTO_TEST_CASE(gathered_and_scattered_rows_skip_minus_one) {
  Reference reference;
  auto gather = make_op<ds4_op_gather_rows>(DS4_OP_GATHER_ROWS, 3);
  gather.x = reference.floats({2, 2}, {1, 2, 3, 4});
  gather.ids = reference.ints({3}, {1, -1, 0});
  gather.y = reference.tensor(DS4_DTYPE_F32, {3, 2});
  gather.fill = -std::numeric_limits<double>::infinity();
  auto scatter = make_op<ds4_op_scatter_rows>(DS4_OP_SCATTER_ROWS, 3);
  scatter.x = gather.y;
  scatter.ids = reference.ints({3}, {2, -1, 0});
  scatter.y = reference.floats({2, 2, 2}, std::vector<float>(8, 9.0F));
  BOOST_TEST_REQUIRE(reference.enqueue({&gather.op, &scatter.op}) == DS4_OK, reference.text());
  const std::vector<float> gathered = {3, 4, -kInf, -kInf, 1, 2};
  BOOST_TEST(reference.read(gather.y) == gathered, boost::test_tools::per_element());
  const std::vector<float> scattered = {1, 2, 9, 9, 3, 4, 9, 9};
  BOOST_TEST(reference.read(scatter.y) == scattered, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(ranges_follow_the_step_block) {
  Reference reference;
  reference.step.assign(DS4_STEP_HEADER_WORDS, 0);
  reference.step[DS4_STEP_DECODE_ROWS] = 2;
  reference.step[DS4_STEP_PREFILL_ROWS] = 3;
  auto op = make_op<ds4_op_fill>(DS4_OP_FILL, 4);
  op.rows = {4, DS4_STEP_PREFILL_ROWS, 1, DS4_STEP_DECODE_ROWS};
  op.y = reference.floats({6, 1}, std::vector<float>(6, 0.0F));
  op.value = 7;
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  // first = 1 + 2, count = 3 - 1.
  const std::vector<float> expected = {0, 0, 0, 7, 7, 0};
  BOOST_TEST(reference.read(op.y) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_tile_is_addressed_from_its_first_row) {
  Reference reference;
  auto op = make_op<ds4_op_fill>(DS4_OP_FILL, 2);
  op.rows.begin = 10;
  op.y = reference.floats({3, 1}, std::vector<float>(3, 0.0F));
  op.y.first_row = 9;
  op.value = 7;
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  const std::vector<float> expected = {0, 7, 7};
  BOOST_TEST(reference.read(op.y) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(tokens_of_the_previous_step_are_resolved) {
  Reference reference;
  auto op = make_op<ds4_op_resolve_tokens>(DS4_OP_RESOLVE_TOKENS, 3);
  op.tokens = reference.ints({3}, {5, -1, -2});
  op.sampled = reference.ints({2}, {70, 80});
  op.y = reference.tensor(DS4_DTYPE_I32, {3});
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  const std::vector<std::int32_t> expected = {5, 70, 80};
  BOOST_TEST(reference.read_ints(op.y) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(steering_removes_its_direction) {
  Reference reference;
  auto op = make_op<ds4_op_steer>(DS4_OP_STEER, 1);
  op.direction = reference.weight(DS4_ROLE_VECTOR, {2}, {0.6F, 0.8F});
  op.x = reference.floats({1, 2, 2}, {1.0F, 0.0F, 0.8F, -0.6F});
  op.scale = 1;
  BOOST_TEST_REQUIRE(reference.run(op) == DS4_OK, reference.text());
  const double a = 0.6F;
  const double b = 0.8F;
  const double c = -0.6F;
  const double part = b * a + c * b;
  check_close(reference.read(op.x), {1 - a * a, -a * b, b - part * a, c - part * b});
}

BOOST_AUTO_TEST_SUITE_END()
