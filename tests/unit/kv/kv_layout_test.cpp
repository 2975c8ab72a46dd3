#include "kv/kv_layout.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

#include "model/synthetic.hpp"
#include "ops/views.hpp"

namespace ds4 {
namespace {

ModelConfig shape(std::string_view name) {
  return SyntheticSpec::make(name)->config;
}

struct Piece {
  std::uint64_t begin, end;
};

void check_disjoint(std::vector<Piece> pieces, std::uint64_t limit) {
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece& a, const Piece& b) { return a.begin < b.begin; });
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    BOOST_TEST(pieces[i].end <= (i + 1 < pieces.size() ? pieces[i + 1].begin : limit));
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(kv_layout)

BOOST_AUTO_TEST_CASE(flash_needs_the_bytes_per_token_and_per_slot_of_the_model_description) {
  const ModelConfig config = shape("flash");
  const KvLayout layout = *KvLayout::make(config, {}, {1, 1048576, 100});
  // 21 layers of ratio 4 hold 584 + 68 bytes each 4 tokens, 20 of ratio 128 hold 584 each 128.
  BOOST_TEST(layout.pool_bytes(0) == 21ULL * (584 + 68) * 1048576 / 4);
  BOOST_TEST(layout.pool_bytes(1) == 20ULL * 584 * 1048576 / 128);
  // Rings are about 20 MB (architecture decision 3.2).
  BOOST_TEST(layout.slot_bytes > 15'000'000U);
  BOOST_TEST(layout.slot_bytes < 22'000'000U);
}

BOOST_AUTO_TEST_CASE(rings_and_pools_of_different_layers_never_overlap) {
  const ModelConfig config = shape("micro");
  for (const bool is_stored : {true, false}) {
    const Roundings roundings{.kv_fp8 = true, .row_storage = is_stored, .index_fp4 = true};
    const KvLayout layout = *KvLayout::make(config, roundings, {3, 512, 100});
    const std::vector<LayerKv> views = layout.views(config, nullptr, {nullptr, nullptr});
    std::vector<Piece> slot;
    std::vector<std::vector<Piece>> pools(2);
    for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
      const auto in_slot = [&slot](ds4_view view) {
        if (view.rank == 0) return;
        view.extent[0] = 1;  // one slot
        slot.push_back({view.offset, view.offset + view_span_bytes(view)});
      };
      in_slot(views[layer].ring);
      in_slot(views[layer].pairs);
      in_slot(views[layer].index_pairs);
      const std::size_t c = config.ratio(layer) == 4 ? 0 : 1;
      for (const ds4_view& view : {views[layer].pool, views[layer].index_pool}) {
        if (view.rank == 0) continue;
        pools[c].push_back({view.offset, view.offset + view_span_bytes(view)});
      }
      BOOST_TEST(views[layer].ring.stride[0] == layout.slot_bytes);
    }
    check_disjoint(slot, layout.slot_bytes);
    check_disjoint(pools[0], layout.pool_bytes(0));
    check_disjoint(pools[1], layout.pool_bytes(1));
  }
}

BOOST_AUTO_TEST_CASE(more_rows_than_an_index_can_name_are_refused_with_advice) {
  const auto layout = KvLayout::make(shape("flash"), {}, {4096, 16U << 20, 100});
  BOOST_REQUIRE(!layout);
  BOOST_TEST((layout.error().code == Errc::invalid_argument));
  BOOST_TEST(layout.error().what.find("lower --ctx or --sessions") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(rings_of_more_rows_than_an_index_can_name_are_refused) {
  ModelConfig config = shape("micro");
  config.window = 1U << 20;
  const auto layout = KvLayout::make(config, {}, {2048, 512, 100});
  BOOST_REQUIRE(!layout);
  BOOST_TEST(layout.error().what.find("lower --sessions") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_header_whose_rings_are_past_counting_is_refused) {
  ModelConfig config = shape("micro");
  config.window = (1U << 31) - 64;
  config.head_dim = 1U << 30;
  config.ratios.assign(1024, 0);
  config.layers = 1024;
  const auto layout = KvLayout::make(config, {}, {1, 512, 100});
  BOOST_REQUIRE(!layout);
  BOOST_TEST(layout.error().what.find("than can be counted") != std::string::npos,
             layout.error().what);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4
