#include "plan/lowering/lowering.hpp"

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstring>
#include <deque>
#include <set>
#include <vector>

#include "ops/op_table.hpp"
#include "ops/views.hpp"

namespace {

constexpr std::uint32_t kTag = 17U << 16 | 3U;
constexpr std::uint32_t kMax = 6;

/// Never dereferenced: an address that tells buffers apart.
ds4_buffer* buffer(std::uint64_t number) {
  return reinterpret_cast<ds4_buffer*>(number << 20);
}

class Recorder final : public ds4::LoweringSink {
 public:
  ds4_view scratch(std::uint32_t dtype, std::initializer_list<std::uint32_t> extents) override {
    ds4_view view = ds4::make_view(buffer(1000 + buffers.size()), 0, dtype, extents);
    buffers.insert(view.buffer);
    return view;
  }
  void emit(const ds4_op& op) override {
    auto& words = ops.emplace_back((op.struct_size + 7) / 8);
    std::memcpy(words.data(), &op, op.struct_size);
  }

  std::set<ds4_buffer*> buffers;
  std::deque<std::vector<std::uint64_t>> ops;
};

/// Offsets of the views that an op writes.
std::vector<std::size_t> outputs(std::uint32_t id) {
  switch (id) {
    case DS4_OP_COPY_CAST:
      return {offsetof(ds4_op_copy_cast, y)};
    case DS4_OP_FILL:
      return {offsetof(ds4_op_fill, y)};
    case DS4_OP_GATHER_ROWS:
      return {offsetof(ds4_op_gather_rows, y)};
    case DS4_OP_SCATTER_ROWS:
      return {offsetof(ds4_op_scatter_rows, y)};
    case DS4_OP_ADD:
    case DS4_OP_MUL:
      return {offsetof(ds4_op_binary, y)};
    case DS4_OP_SCALE_ADD:
      return {offsetof(ds4_op_scale_add, y)};
    case DS4_OP_ROW_SUM:
      return {offsetof(ds4_op_row_sum, y)};
    case DS4_OP_UNARY:
      return {offsetof(ds4_op_unary, y)};
    case DS4_OP_MATMUL:
      return {offsetof(ds4_op_matmul, y)};
    case DS4_OP_MATMUL_ACT:
      return {offsetof(ds4_op_matmul_act, y)};
    case DS4_OP_GROUPED_MATMUL:
      return {offsetof(ds4_op_grouped_matmul, y)};
    case DS4_OP_RMS_NORM:
      return {offsetof(ds4_op_rms_norm, y)};
    case DS4_OP_ROPE_TAIL:
      return {offsetof(ds4_op_rope_tail, y)};
    case DS4_OP_QUANT_ROUND_TRIP:
      return {offsetof(ds4_op_quant_round_trip, y)};
    case DS4_OP_SWIGLU_CLAMP:
      return {offsetof(ds4_op_swiglu_clamp, y)};
    case DS4_OP_SOFTMAX_POOL:
      return {offsetof(ds4_op_softmax_pool, y)};
    case DS4_OP_MIX_STREAMS:
      return {offsetof(ds4_op_mix_streams, y)};
    case DS4_OP_TOPK:
      return {offsetof(ds4_op_topk, ids), offsetof(ds4_op_topk, values)};
    case DS4_OP_TAKE_COLUMNS:
      return {offsetof(ds4_op_take_columns, y)};
    case DS4_OP_NORMALIZE_SUM:
      return {offsetof(ds4_op_normalize_sum, y)};
    case DS4_OP_SINKHORN_SPLIT:
      return {offsetof(ds4_op_sinkhorn_split, pre), offsetof(ds4_op_sinkhorn_split, post),
              offsetof(ds4_op_sinkhorn_split, comb)};
    case DS4_OP_ATTENTION_ROWS:
      return {offsetof(ds4_op_attention, y)};
    default:
      return {};
  }
}

template <class Op, class Fill>
void check(std::uint32_t id, Fill fill) {
  Op fused = ds4::make_op<Op>(id);
  fused.op.tag = kTag;
  fused.rows = {kMax, DS4_STEP_ROWS, 2, DS4_SLOT_NONE};
  fill(fused);
  Recorder sink;
  const auto done = ds4::lower(fused.op, sink);
  BOOST_REQUIRE_MESSAGE(done.ok(), ds4::op_name(id) << ": " << (done ? "" : done.error().what));
  BOOST_REQUIRE(!sink.ops.empty());
  std::set<ds4_buffer*> written;
  for (const auto& words : sink.ops) {
    const auto& op = *reinterpret_cast<const ds4_op*>(words.data());
    const ds4::OpTraits* traits = ds4::find_op(op.id);
    BOOST_REQUIRE(traits);
    BOOST_CHECK(traits->tier == ds4::OpTier::required);
    BOOST_TEST(op.struct_size == traits->struct_size);
    BOOST_TEST(op.tag == kTag);
    // The range follows the header in every descriptor.
    BOOST_TEST(std::memcmp(&words[2], &fused.rows, sizeof(ds4_range)) == 0);
    const auto written_at = outputs(op.id);
    BOOST_REQUIRE_MESSAGE(!written_at.empty(), traits->name);
    std::set<std::size_t> output_words;
    for (const std::size_t offset : written_at) output_words.insert(offset / 8);
    for (std::size_t i = 0; i < words.size(); ++i) {
      auto* at = reinterpret_cast<ds4_buffer*>(words[i]);
      if (sink.buffers.count(at) == 0 || output_words.count(i) != 0) continue;
      BOOST_CHECK_MESSAGE(written.count(at) != 0,
                          ds4::op_name(id) << ": " << traits->name << " reads unwritten scratch");
    }
    for (const std::size_t word : output_words) {
      written.insert(reinterpret_cast<ds4_buffer*>(words[word]));
    }
  }
}

ds4_view f32(std::uint64_t number, std::initializer_list<std::uint32_t> extents) {
  return ds4::make_view(buffer(number), 0, DS4_DTYPE_F32, extents);
}
ds4_view i32(std::uint64_t number, std::initializer_list<std::uint32_t> extents) {
  return ds4::make_view(buffer(number), 0, DS4_DTYPE_I32, extents);
}
constexpr ds4_rope kRope{16, 0, 0, 0, 10000, 0, 0, 0};
constexpr ds4_rounding kRounding{DS4_ROUND_FP8_E4M3, 64, 16, DS4_ROUNDING_TAIL_BF16};

}  // namespace

BOOST_AUTO_TEST_SUITE(lowering)

BOOST_AUTO_TEST_CASE(projections_become_required_ops_that_read_only_written_scratch) {
  check<ds4_op_embed_streams>(DS4_OP_EMBED_STREAMS, [](auto& op) {
    op.tokens = i32(1, {8});
    op.x = f32(2, {8, 4, 32});
  });
  check<ds4_op_hc_pre>(DS4_OP_HC_PRE, [](auto& op) {
    op.x = f32(1, {8, 4, 32});
    op.y = f32(2, {8, 32});
    op.post = f32(3, {8, 4});
    op.comb = f32(4, {8, 4, 4});
  });
  check<ds4_op_hc_post>(DS4_OP_HC_POST, [](auto& op) {
    op.x = f32(1, {8, 4, 32});
    op.out = f32(2, {8, 32});
    op.post = f32(3, {8, 4});
    op.comb = f32(4, {8, 4, 4});
    op.y = f32(5, {8, 4, 32});
  });
  check<ds4_op_q_project>(DS4_OP_Q_PROJECT, [](auto& op) {
    op.u = f32(1, {8, 32});
    op.qr = f32(2, {8, 16});
    op.q = f32(3, {8, 2, 32});
    op.rope = kRope;
  });
  check<ds4_op_kv_project>(DS4_OP_KV_PROJECT, [](auto& op) {
    op.u = f32(1, {8, 32});
    op.kv = f32(2, {8, 80});
    op.rope = kRope;
    op.rounding = kRounding;
  });
  for (const std::uint32_t id : {DS4_OP_KV_COMMIT, DS4_OP_COMPRESS_COMMIT}) {
    check<ds4_op_commit>(id, [](auto& op) { op.x = f32(1, {8, 80}); });
  }
  check<ds4_op_compress_project>(DS4_OP_COMPRESS_PROJECT, [](auto& op) {
    op.pairs = f32(1, {8, 64});
  });
  check<ds4_op_compress_emit>(DS4_OP_COMPRESS_EMIT, [](auto& op) {
    op.list = i32(1, {8, 4});
    op.pool = f32(2, {64, 80});
    op.rope = kRope;
    op.rounding = kRounding;
  });
}

BOOST_AUTO_TEST_CASE(attention_and_choices_become_required_ops_that_read_only_written_scratch) {
  check<ds4_op_index_score>(DS4_OP_INDEX_SCORE, [](auto& op) {
    op.scores = f32(1, {8, 20});
    op.heads = 4;
    op.dim = 32;
    op.rope = kRope;
    op.rounding = kRounding;
  });
  check<ds4_op_index_topk>(DS4_OP_INDEX_TOPK, [](auto& op) { op.ids = i32(1, {8, 4}); });
  for (const auto& [id, pool] : {std::pair{DS4_OP_ATTN_DECODE, DS4_SOURCE_PAGES},
                                 std::pair{DS4_OP_ATTN_PREFILL_WINDOW, DS4_SOURCE_NONE},
                                 std::pair{DS4_OP_ATTN_PREFILL_MIXED, DS4_SOURCE_PAGES},
                                 std::pair{DS4_OP_ATTN_INDEXED, DS4_SOURCE_LIST}}) {
    const std::uint32_t kind = pool;
    check<ds4_op_attention>(id, [&](auto& op) {
      op.y = f32(1, {8, 2, 32});
      op.source[2].kind = kind;
      op.rope = kRope;
      op.rope.flags = DS4_ROPE_INVERSE;
    });
  }
  check<ds4_op_route>(DS4_OP_ROUTE, [](auto& op) {
    op.ids = i32(1, {8, 3});
    op.weights = f32(2, {8, 3});
    op.experts = 8;
    op.bias = reinterpret_cast<const ds4_weight*>(std::uintptr_t{64});
  });
}

BOOST_AUTO_TEST_CASE(outputs_become_required_ops_that_read_only_written_scratch) {
  check<ds4_op_attn_out>(DS4_OP_ATTN_OUT, [](auto& op) {
    op.o = f32(1, {8, 4, 32});
    op.y = f32(2, {8, 32});
    op.groups = 2;
    op.rank = 8;
  });
  check<ds4_op_moe_routed>(DS4_OP_MOE_ROUTED, [](auto& op) {
    op.v = f32(1, {8, 32});
    op.ids = i32(2, {8, 3});
    op.weights = f32(3, {8, 3});
    op.y = f32(4, {8, 32});
    op.inner = 16;
  });
  check<ds4_op_ffn_shared>(DS4_OP_FFN_SHARED, [](auto& op) {
    op.v = f32(1, {8, 32});
    op.y = f32(2, {8, 32});
    op.inner = 16;
  });
  check<ds4_op_head>(DS4_OP_HEAD, [](auto& op) {
    op.x = f32(1, {8, 4, 32});
    op.logits = f32(2, {8, 50});
  });
  for (const std::uint32_t id : {DS4_OP_SAMPLE_ARGMAX, DS4_OP_SAMPLE_TOPK}) {
    check<ds4_op_sample>(id, [](auto& op) {
      op.x = f32(1, {8, 50});
      op.ids = i32(2, {8, 1});
    });
  }
  check<ds4_op_steer>(DS4_OP_STEER, [](auto& op) { op.x = f32(1, {8, 4, 32}); });
}

BOOST_AUTO_TEST_CASE(lower_refuses_required_ops_short_descriptors_and_unknown_flags) {
  Recorder sink;
  auto op = ds4::make_op<ds4_op_hc_post>(DS4_OP_MATMUL);
  BOOST_TEST(!ds4::lower(op.op, sink).ok());
  op.op.id = DS4_OP_HC_POST;
  op.op.struct_size -= 8;
  BOOST_TEST(!ds4::lower(op.op, sink).ok());
  op.op.struct_size += 8;
  op.op.flags = 1U << 30;
  BOOST_TEST(!ds4::lower(op.op, sink).ok());
  BOOST_TEST(sink.ops.empty());
}

BOOST_AUTO_TEST_SUITE_END()
