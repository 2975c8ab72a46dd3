// A row's bits depend on nothing but the row: not on threads, not on the other rows of its step.
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <numeric>

#include "tests/conformance/reference/fixture.hpp"

namespace {

constexpr std::uint32_t kWidth = 96;
constexpr std::uint32_t kHeads = 6;
constexpr std::uint32_t kDim = 64;
constexpr std::uint32_t kRank = 80;
constexpr std::uint32_t kExperts = 5;
constexpr std::uint32_t kInner = 72;
constexpr std::uint32_t kStored = 40;

std::vector<float> slice(const std::vector<float>& all, std::uint32_t first, std::uint32_t rows,
                         std::size_t width) {
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first * width);
  return {begin, begin + static_cast<std::ptrdiff_t>(rows * width)};
}

/// A chain of large ops over rows [first, first + rows) of fixed inputs: projections, attention,
/// output, experts. Everything it computes, one after the other, row by row.
std::vector<std::vector<float>> run_chain(std::uint32_t threads, std::uint32_t first,
                                          std::uint32_t rows) {
  Reference r({.threads = threads, .device_flags = DS4_DEVICE_VALIDATE, .compose = nullptr});
  const ds4_rope rope{16, 0, 0, 0, 10000, 1, 32, 1};
  std::vector<std::int32_t> positions(rows);
  std::iota(positions.begin(), positions.end(), static_cast<std::int32_t>(first) + 100);

  auto q = make_op<ds4_op_q_project>(DS4_OP_Q_PROJECT, rows);
  q.u = r.floats({rows, kWidth}, slice(spread(16 * kWidth, 1), first, rows, kWidth));
  q.wq_a = r.weight(DS4_ROLE_MATRIX, {kRank, kWidth}, spread(kRank * kWidth, 2));
  q.gain = r.weight(DS4_ROLE_VECTOR, {kRank}, spread(kRank, 3));
  q.wq_b = r.weight(DS4_ROLE_MATRIX, {kHeads * kDim, kRank}, spread(kHeads * kDim * kRank, 4));
  q.positions = r.ints({rows}, positions);
  q.qr = r.tensor(DS4_DTYPE_F32, {rows, kRank});
  q.q = r.tensor(DS4_DTYPE_F32, {rows, kHeads, kDim});
  q.rope = rope;
  q.eps = 1e-6;

  auto attention = make_op<ds4_op_attention>(DS4_OP_ATTN_DECODE, rows);
  attention.q = q.q;
  attention.positions = q.positions;
  attention.y = r.tensor(DS4_DTYPE_F32, {rows, kHeads, kDim});
  attention.sink = r.weight(DS4_ROLE_VECTOR, {kHeads}, spread(kHeads, 5));
  std::vector<std::int32_t> ranges;
  for (std::uint32_t i = 0; i < rows; ++i) {
    ranges.push_back(static_cast<std::int32_t>(first + i));
    ranges.push_back(20);
  }
  attention.source[0] =
      range_source(r.floats({kStored, kDim}, spread(kStored * kDim, 6)), r.ints({rows, 2}, ranges));
  attention.scale = 0.125;
  attention.rope = rope;
  attention.rope.flags = DS4_ROPE_INVERSE;

  auto out = make_op<ds4_op_attn_out>(DS4_OP_ATTN_OUT, rows);
  out.o = attention.y;
  out.wo_a =
      r.weight(DS4_ROLE_GROUPED, {2, kRank, kHeads * kDim / 2}, spread(kRank * kHeads * kDim, 7));
  out.wo_b = r.weight(DS4_ROLE_MATRIX, {kWidth, 2 * kRank}, spread(kWidth * 2 * kRank, 8));
  out.y = r.tensor(DS4_DTYPE_F32, {rows, kWidth});

  auto route = make_op<ds4_op_route>(DS4_OP_ROUTE, rows);
  route.v = out.y;
  route.gate = r.weight(DS4_ROLE_ROUTER, {kExperts, kWidth}, spread(kExperts * kWidth, 9));
  route.ids = r.tensor(DS4_DTYPE_I32, {rows, 2});
  route.weights = r.tensor(DS4_DTYPE_F32, {rows, 2});
  route.floor = 0x1p-14;
  route.scale = 1.5;

  auto moe = make_op<ds4_op_moe_routed>(DS4_OP_MOE_ROUTED, rows);
  moe.v = out.y;
  moe.gate = r.weight(DS4_ROLE_EXPERT_GATE, {kExperts, kInner, kWidth},
                      spread(kExperts * kInner * kWidth, 10));
  moe.up = r.weight(DS4_ROLE_EXPERT_UP, {kExperts, kInner, kWidth},
                    spread(kExperts * kInner * kWidth, 11));
  moe.down = r.weight(DS4_ROLE_EXPERT_DOWN, {kExperts, kWidth, kInner},
                      spread(kExperts * kInner * kWidth, 12));
  moe.ids = route.ids;
  moe.weights = route.weights;
  moe.y = r.tensor(DS4_DTYPE_F32, {rows, kWidth});
  moe.limit = 10;

  BOOST_TEST_REQUIRE(r.enqueue({&q.op, &attention.op, &out.op, &route.op, &moe.op}) == DS4_OK,
                     r.text());
  return {r.read(q.qr),  r.read(q.q),           r.read(attention.y),
          r.read(out.y), r.read(route.weights), r.read(moe.y)};
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * 4) == 0;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sameness)

BOOST_AUTO_TEST_CASE(threads_change_no_bit) {
  const auto one = run_chain(1, 0, 9);
  for (const std::uint32_t threads : {2u, 3u}) {
    const auto many = run_chain(threads, 0, 9);
    for (std::size_t i = 0; i < one.size(); ++i) {
      BOOST_TEST(same_bits(one[i], many[i]), "tensor " << i << ", " << threads << " threads");
    }
  }
}

BOOST_AUTO_TEST_CASE(rows_of_a_batch_equal_the_same_rows_alone) {
  const auto batch = run_chain(2, 0, 9);
  for (const std::uint32_t row : {0u, 4u, 8u}) {
    const auto alone = run_chain(2, row, 1);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      BOOST_TEST(same_bits(slice(batch[i], row, 1, batch[i].size() / 9), alone[i]),
                 "tensor " << i << ", row " << row);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_fault_in_a_shared_region_ends_it_on_every_thread) {
  Reference r({.threads = 3, .device_flags = 0, .compose = nullptr});
  auto gather = make_op<ds4_op_gather_rows>(DS4_OP_GATHER_ROWS, 1);
  gather.x = r.floats({1, 1}, {1});
  gather.ids = r.ints({1}, {7});
  gather.y = r.tensor(DS4_DTYPE_F32, {1, 1});
  const std::uint32_t width = 512;
  auto matmul = make_op<ds4_op_matmul>(DS4_OP_MATMUL, 1);
  matmul.weight = r.weight(DS4_ROLE_MATRIX, {width, width}, spread(width * width, 1));
  matmul.x = r.floats({1, width}, spread(width, 2));
  matmul.y = r.floats({1, width}, std::vector<float>(width, 3.0F));
  BOOST_TEST(r.enqueue({&matmul.op, &gather.op, &matmul.op}) == DS4_E_INVALID_ARGUMENT);
  BOOST_TEST(r.error().op_id == DS4_OP_GATHER_ROWS);
  BOOST_TEST(r.run(matmul) == DS4_OK, r.text());
}

BOOST_AUTO_TEST_CASE(running_ops_takes_no_memory_from_the_host) {
  Reference r;
  auto op = make_op<ds4_op_fill>(DS4_OP_FILL, 1);
  op.y = r.tensor(DS4_DTYPE_F32, {1, 4});
  const ds4_op* ops[] = {&op.op};
  ds4_submission submission{};
  submission.struct_size = sizeof submission;
  submission.count = 1;
  submission.ops = ops;
  ds4_stats before{};
  before.struct_size = sizeof before;
  ds4_stats after = before;
  BOOST_TEST(r.api().stats_read(r.device(), &before, nullptr) == DS4_OK);
  for (int i = 0; i < 1000; ++i) {
    BOOST_TEST_REQUIRE(r.api().enqueue(r.stream(), &submission, nullptr) == DS4_OK);
  }
  BOOST_TEST(r.api().stats_read(r.device(), &after, nullptr) == DS4_OK);
  BOOST_TEST(after.peak_bytes == before.peak_bytes);
  BOOST_TEST(after.calls_by_op[DS4_OP_FILL] - before.calls_by_op[DS4_OP_FILL] == 1000U);
}

BOOST_AUTO_TEST_SUITE_END()
