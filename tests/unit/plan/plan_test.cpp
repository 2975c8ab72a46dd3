#include "plan/plan.hpp"

#include <boost/test/unit_test.hpp>

#include <cstring>
#include <map>
#include <set>

#include "kv/kv_layout.hpp"
#include "model/synthetic.hpp"
#include "ops/op_table.hpp"
#include "ops/views.hpp"

namespace ds4 {
namespace {

/// A plan over no buffers: enough to look at.
Result<Plan> plan_of(const ModelConfig& config, const StepClass& step_class,
                     const AskSupport& support, Selections selections = Selections::internal,
                     std::uint32_t max_compressed = 256, bool streams_experts = false) {
  const KvLayout kv = *KvLayout::make(config, {}, {2, 1024, 100});
  const std::vector<RatioClass> classes = ratio_classes(config);
  PlanInputs inputs;
  inputs.config = &config;
  inputs.kv = kv.views(config, nullptr, std::vector<ds4_buffer*>(classes.size()));
  for (std::size_t c = 0; c < classes.size(); ++c) {
    inputs.page_tables.push_back(kv.page_table(c, nullptr));
  }
  inputs.max_compressed = max_compressed;
  inputs.step = StepLayout::make(step_class, classes, nullptr);
  inputs.sampled = make_view(nullptr, 0, DS4_DTYPE_I32, {step_class.logits_rows});
  inputs.logits = make_view(nullptr, 0, DS4_DTYPE_F32, {step_class.logits_rows, config.vocab});
  inputs.selections = selections;
  inputs.streams_experts = streams_experts;
  if (selections != Selections::internal) {
    const std::uint32_t rows = step_class.rows();
    inputs.layer_selections.assign(
        config.layers, {make_view(nullptr, 0, DS4_DTYPE_I32, {rows, config.experts_used}),
                        make_view(nullptr, 0, DS4_DTYPE_I32, {rows, config.index_top_k})});
  }
  return Plan::build(inputs, support);
}

AskSupport everything_but(std::set<std::uint32_t> missing) {
  return [missing](const ds4_op& op) -> Result<plugins::OpSupport> {
    if (missing.contains(op.id)) return plugins::OpSupport{plugins::SupportLevel::no, "left out"};
    return plugins::OpSupport{plugins::SupportLevel::native, ""};
  };
}

std::map<std::uint32_t, int> count_ops(const Plan& plan) {
  std::map<std::uint32_t, int> out;
  for (const ds4_op* op : plan.ops()) ++out[op->id];
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(plan)

BOOST_AUTO_TEST_CASE(every_layer_kind_gets_its_ops_and_decode_and_prefill_their_own_attention) {
  const ModelConfig config = SyntheticSpec::make("micro")->config;  // ratios 0, 4, 128, 4
  const Plan plan = *plan_of(config, {4, 32, 8}, everything_but({}));
  std::map<std::uint32_t, int> ops = count_ops(plan);
  BOOST_TEST(ops[DS4_OP_EMBED_STREAMS] == 1);
  BOOST_TEST(ops[DS4_OP_HC_PRE] == 8);
  BOOST_TEST(ops[DS4_OP_HC_POST] == 8);
  BOOST_TEST(ops[DS4_OP_KV_COMMIT] == 4);
  BOOST_TEST(ops[DS4_OP_COMPRESS_EMIT] == 5);  // 2 x (rows and index rows) + 1
  BOOST_TEST(ops[DS4_OP_COMPRESS_COMMIT] == 5);
  BOOST_TEST(ops[DS4_OP_INDEX_TOPK] == 2);
  BOOST_TEST(ops[DS4_OP_ATTN_INDEXED] == 2);
  BOOST_TEST(ops[DS4_OP_ATTN_DECODE] == 2);
  BOOST_TEST(ops[DS4_OP_ATTN_PREFILL_WINDOW] == 1);
  BOOST_TEST(ops[DS4_OP_ATTN_PREFILL_MIXED] == 1);
  BOOST_TEST(ops[DS4_OP_HEAD] == 1);
  BOOST_TEST(ops[DS4_OP_SAMPLE_ARGMAX] == 1);
  BOOST_TEST(plan.composed().empty());
  const auto decode = count_ops(*plan_of(config, {4, 0, 4}, everything_but({})));
  BOOST_TEST(!decode.contains(DS4_OP_ATTN_PREFILL_WINDOW));
  BOOST_TEST(!decode.contains(DS4_OP_ATTN_PREFILL_MIXED));
}

BOOST_AUTO_TEST_CASE(rings_are_committed_after_their_last_reader_in_each_layer) {
  const ModelConfig config = SyntheticSpec::make("micro")->config;
  const Plan plan = *plan_of(config, {4, 32, 8}, everything_but({}));
  std::map<std::uint32_t, bool> committed;  // by layer
  for (const ds4_op* op : plan.ops()) {
    const std::uint32_t layer = op->tag >> 16;
    if (op->id == DS4_OP_KV_COMMIT || op->id == DS4_OP_COMPRESS_COMMIT) committed[layer] = true;
    if (op->id == DS4_OP_COMPRESS_EMIT ||
        (op->id >= DS4_OP_ATTN_DECODE && op->id <= DS4_OP_ATTN_INDEXED)) {
      BOOST_TEST(!committed[layer]);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_missing_fused_op_is_composed_and_reported_with_its_layers) {
  const ModelConfig config = SyntheticSpec::make("micro")->config;
  const Plan plan = *plan_of(config, {4, 32, 8}, everything_but({DS4_OP_MOE_ROUTED}));
  BOOST_REQUIRE_EQUAL(plan.composed().size(), 1U);
  const ComposedOp& composed = plan.composed()[0];
  BOOST_TEST(composed.id == DS4_OP_MOE_ROUTED);
  BOOST_TEST(composed.first_layer == 0U);
  BOOST_TEST(composed.last_layer == 3U);
  BOOST_TEST(composed.count == 4U);
  BOOST_TEST(composed.reason == "left out");
  BOOST_TEST(!count_ops(plan).contains(DS4_OP_MOE_ROUTED));
  for (const ds4_op* op : plan.ops()) {
    if (op->id == DS4_OP_GROUPED_MATMUL) BOOST_TEST((op->tag >> 16) < 4U);
  }
}

BOOST_AUTO_TEST_CASE(a_missing_tier_1_op_refuses_the_plan_by_name) {
  const ModelConfig config = SyntheticSpec::make("micro")->config;
  const auto plan =
      plan_of(config, {4, 32, 8},
              everything_but({DS4_OP_MOE_ROUTED, DS4_OP_GROUPED_MATMUL, DS4_OP_PAGE_ROWS}));
  BOOST_REQUIRE(!plan);
  BOOST_TEST((plan.error().code == Errc::unsupported));
  BOOST_TEST(plan.error().what ==
             "the backend lacks ops that nothing can replace: grouped_matmul (left out) page_rows "
             "(left out)");
}

BOOST_AUTO_TEST_CASE(forced_selections_leave_the_choosing_ops_out) {
  const ModelConfig config = SyntheticSpec::make("micro")->config;
  const auto ops = count_ops(*plan_of(config, {4, 32, 8}, everything_but({}), Selections::forced));
  BOOST_TEST(!ops.contains(DS4_OP_ROUTE));
  BOOST_TEST(!ops.contains(DS4_OP_INDEX_TOPK));
  BOOST_TEST(ops.contains(DS4_OP_TAKE_COLUMNS));
}

BOOST_AUTO_TEST_CASE(streamed_experts_are_read_while_the_shared_one_runs) {
  const ModelConfig config = SyntheticSpec::make("micro")->config;
  for (const StepClass step_class : {StepClass{4, 0, 4}, StepClass{4, 32, 8}}) {
    const Plan plan =
        *plan_of(config, step_class, everything_but({}), Selections::internal, 256, true);
    const auto is_same = [](const ds4_view& a, const ds4_view& b) {
      return std::memcmp(&a, &b, sizeof a) == 0;
    };
    std::uint32_t layers = 0;
    for (std::size_t i = 0; i < plan.ops().size(); ++i) {
      if (plan.ops()[i]->id != DS4_OP_ROUTE) continue;
      ++layers;
      const auto& route = *reinterpret_cast<const ds4_op_route*>(plan.ops()[i]);
      BOOST_TEST_REQUIRE(i + 4 < plan.ops().size());
      BOOST_TEST_REQUIRE(plan.ops()[i + 1]->id == DS4_OP_FFN_SHARED);
      BOOST_TEST_REQUIRE(plan.ops()[i + 2]->id == DS4_OP_MOE_ROUTED);
      BOOST_TEST_REQUIRE(plan.ops()[i + 3]->id == DS4_OP_ADD);
      const auto& shared = *reinterpret_cast<const ds4_op_ffn_shared*>(plan.ops()[i + 1]);
      const auto& routed = *reinterpret_cast<const ds4_op_moe_routed*>(plan.ops()[i + 2]);
      const auto& sum = *reinterpret_cast<const ds4_op_binary*>(plan.ops()[i + 3]);
      // The bits of a sum do not depend on where it is made, only on what is added to what.
      BOOST_TEST(shared.op.flags == 0U);
      BOOST_TEST(is_same(routed.ids, route.ids));
      BOOST_TEST(is_same(sum.x, routed.y));
      BOOST_TEST(is_same(sum.b, shared.y));
      BOOST_TEST(is_same(sum.y, routed.y));
      BOOST_TEST(!is_same(shared.y, routed.y));
      BOOST_TEST(!is_same(shared.y, shared.v));
    }
    BOOST_TEST(layers == config.layers);

    // In memory they cost neither the op nor its operand.
    const Plan resident = *plan_of(config, step_class, everything_but({}));
    BOOST_TEST(!count_ops(resident).contains(DS4_OP_ADD));
    BOOST_TEST(resident.ops().size() + config.layers == plan.ops().size());
    const std::uint64_t operand = sizeof(float) * std::uint64_t{step_class.rows()} * config.width;
    BOOST_TEST(resident.arena_bytes() < plan.arena_bytes());
    BOOST_TEST(plan.arena_bytes() <= resident.arena_bytes() + operand + 256);
  }
}

BOOST_AUTO_TEST_CASE(scores_are_tiled_so_that_a_million_tokens_fit_and_every_row_is_scored_once) {
  const ModelConfig config = SyntheticSpec::make("flash")->config;
  constexpr std::uint32_t kVisible = (1U << 20) / 4;
  const Plan plan =
      *plan_of(config, {16, 512, 16}, everything_but({}), Selections::internal, kVisible);
  std::map<std::uint32_t, std::vector<std::uint32_t>> next_row;  // by layer: where each tile begins
  for (const ds4_op* op : plan.ops()) {
    if (op->id != DS4_OP_INDEX_SCORE) continue;
    const auto& score = *reinterpret_cast<const ds4_op_index_score*>(op);
    std::vector<std::uint32_t>& rows = next_row[op->tag >> 16];
    BOOST_TEST(score.rows.begin == (rows.empty() ? 0U : rows.back()));
    BOOST_TEST(score.scores.first_row == score.rows.begin);
    BOOST_TEST(view_span_bytes(score.scores) <= 64ULL << 20);
    rows.push_back(score.rows.begin + score.rows.max);
  }
  BOOST_TEST(next_row.size() == 21U);
  for (const auto& [layer, rows] : next_row) BOOST_TEST(rows.back() == 528U);

  // Composed, the products of 64 heads stay as small.
  const Plan composed = *plan_of(config, {16, 0, 16}, everything_but({DS4_OP_INDEX_SCORE}),
                                 Selections::internal, kVisible);
  const Plan fused =
      *plan_of(config, {16, 0, 16}, everything_but({}), Selections::internal, kVisible);
  BOOST_TEST(composed.arena_bytes() < fused.arena_bytes() + (256ULL << 20));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4
