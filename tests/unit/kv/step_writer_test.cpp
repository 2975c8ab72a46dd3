#include "kv/step_writer.hpp"

#include <boost/test/unit_test.hpp>

namespace ds4 {
namespace {

/// W = 8: a ring of 24 rows; one class of ratio 4 (rings of 24 pairs) and one of ratio 128 (144
/// pairs).
struct Bench {
  std::vector<RatioClass> classes = {{4, 8, 24}, {128, 128, 144}};
  StepGeometry geometry{3, 8, 24, classes};
  StepLayout layout = StepLayout::make({8, 40, 16}, classes, nullptr);
  std::vector<std::int32_t> words = std::vector<std::int32_t>(layout.words, 777);

  std::int32_t at(const ds4_view& view, std::uint32_t row, std::uint32_t column = 0) const {
    return words[(view.offset + row * view.stride[0]) / 4 + column];
  }
  std::vector<std::int32_t> row(const ds4_view& view, std::uint32_t index) const {
    std::vector<std::int32_t> out;
    for (std::uint32_t c = 0; c < view.extent[1]; ++c) out.push_back(at(view, index, c));
    return out;
  }
};

SessionState session_at(std::uint32_t slot, std::uint32_t position) {
  SessionState session;
  session.slot = slot;
  session.position = position;
  session.pages[0] = {5, 9};
  session.pages[1] = {2};
  return session;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(step_writer)

BOOST_AUTO_TEST_CASE(a_decode_row_reads_its_window_from_the_ring_and_itself_from_the_workspace) {
  Bench bench;
  const SessionState session = session_at(1, 30);
  const std::vector<std::int32_t> tokens = {42};
  const std::vector<std::uint8_t> wants = {1};
  const StepSegment segment{&session, tokens, wants};
  write_step(bench.layout, bench.geometry, {&segment, 1}, nullptr, 3, bench.words);

  BOOST_TEST(bench.words[DS4_STEP_ROWS] == 1);
  BOOST_TEST(bench.words[DS4_STEP_DECODE_ROWS] == 1);
  BOOST_TEST(bench.words[DS4_STEP_PREFILL_ROWS] == 0);
  BOOST_TEST(bench.words[DS4_STEP_PREFILL_SLOT] == -1);
  BOOST_TEST(bench.words[DS4_STEP_LOGITS_ROWS] == 1);
  BOOST_TEST(bench.words[DS4_STEP_SERIAL] == 3);
  BOOST_TEST(bench.words[DS4_STEP_EMISSIONS] == 0);  // position 30 finishes nothing
  BOOST_TEST(bench.at(bench.layout.slots, 0) == 1);
  BOOST_TEST(bench.at(bench.layout.positions, 0) == 30);
  BOOST_TEST(bench.at(bench.layout.tokens, 0) == 42);
  BOOST_TEST(bench.row(bench.layout.ring_range, 0) == (std::vector<std::int32_t>{23, 7}),
             boost::test_tools::per_element());
  BOOST_TEST(bench.row(bench.layout.work_range, 0) == (std::vector<std::int32_t>{0, 1}),
             boost::test_tools::per_element());
  BOOST_TEST(bench.at(bench.layout.ring_ids, 0) == 24 + 6);
  BOOST_TEST(bench.at(bench.layout.ratios[0].visible, 0) == 7);
  BOOST_TEST(bench.at(bench.layout.ratios[0].window_rows, 0) == 2);
  BOOST_TEST(bench.at(bench.layout.ratios[1].visible, 0) == 0);
}

BOOST_AUTO_TEST_CASE(the_first_row_of_ratio_4_has_no_window_before_it) {
  Bench bench;
  const SessionState session = session_at(0, 0);
  const std::vector<std::int32_t> tokens = {1, 2, 3, 4};
  const std::vector<std::uint8_t> wants = {0, 0, 0, 0};
  const StepSegment segment{&session, tokens, wants};
  write_step(bench.layout, bench.geometry, {}, &segment, 0, bench.words);
  BOOST_TEST(bench.words[DS4_STEP_EMISSIONS] == 1);
  // 3 slots of 24 pairs come first in the list's address space, then this step's rows.
  BOOST_TEST(bench.row(bench.layout.ratios[0].emit_list, 0) ==
                 (std::vector<std::int32_t>{-1, -1, -1, -1, 72, 73, 74, 75}),
             boost::test_tools::per_element());
  BOOST_TEST(bench.at(bench.layout.ratios[0].emit_positions, 0) == 0);
  BOOST_TEST(bench.at(bench.layout.ratios[0].emit_ids, 0) == 5 * 64);
}

BOOST_AUTO_TEST_CASE(an_emission_pools_ring_pairs_before_the_step_and_workspace_pairs_of_it) {
  Bench bench;
  const SessionState decode = session_at(0, 10);
  const SessionState prefill = session_at(2, 258);
  const std::vector<std::int32_t> one = {7};
  const std::vector<std::int32_t> two = {8, 9};
  const std::vector<std::uint8_t> wants = {0, 0};
  const StepSegment first{&decode, one, std::span(wants).first(1)};
  const StepSegment second{&prefill, two, wants};
  write_step(bench.layout, bench.geometry, {&first, 1}, &second, 0, bench.words);
  BOOST_TEST(bench.words[DS4_STEP_DECODE_ROWS] == 1);
  BOOST_TEST(bench.words[DS4_STEP_PREFILL_SLOT] == 2);
  BOOST_TEST(bench.words[DS4_STEP_PREFILL_BEGIN] == 258);
  BOOST_TEST(bench.words[DS4_STEP_EMISSIONS] == 1);
  // Row 64 (positions 256..259) overlaps 252..255; 256 and 257 lie in the ring, 258 and 259 are
  // rows 1 and 2.
  const std::int32_t ring = 2 * 24;
  BOOST_TEST(bench.row(bench.layout.ratios[0].emit_list, 0) ==
                 (std::vector<std::int32_t>{ring + 12, ring + 13, ring + 14, ring + 15, ring + 16,
                                            ring + 17, 72 + 1, 72 + 2}),
             boost::test_tools::per_element());
  BOOST_TEST(bench.at(bench.layout.ratios[0].emit_positions, 0) == 256);
  BOOST_TEST(bench.at(bench.layout.ratios[0].emit_ids, 0) ==
             9 * 64);  // first row of the second page
}

BOOST_AUTO_TEST_CASE(a_long_segment_commits_each_ring_row_once_with_its_last_writer) {
  Bench bench;
  const SessionState session = session_at(1, 100);
  const std::vector<std::int32_t> tokens(40, 1);
  const std::vector<std::uint8_t> wants(40, 0);
  const StepSegment segment{&session, tokens, wants};
  write_step(bench.layout, bench.geometry, {}, &segment, 0, bench.words);
  std::vector<int> writers(24, 0);
  for (std::uint32_t row = 0; row < 40; ++row) {
    const std::int32_t id = bench.at(bench.layout.ring_ids, row);
    BOOST_TEST((id == -1) == (row < 16));
    if (id < 0) continue;
    BOOST_TEST(id == 24 + static_cast<std::int32_t>((100 + row) % 24));
    ++writers[static_cast<std::size_t>(id - 24)];
  }
  for (const int count : writers) BOOST_TEST(count == 1);
  // Row 39 sees positions 132..139, all of this step; row 2 still sees 95..99 in the ring.
  BOOST_TEST(bench.row(bench.layout.work_range, 39) == (std::vector<std::int32_t>{32, 8}),
             boost::test_tools::per_element());
  BOOST_TEST(bench.at(bench.layout.ring_range, 39, 1) == 0);
  BOOST_TEST(bench.row(bench.layout.ring_range, 2) == (std::vector<std::int32_t>{95, 5}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(
    rewind_by_shortening_reaches_back_sixteen_tokens_and_not_past_a_restored_state) {
  SessionState session;
  session.high = 100;
  BOOST_TEST(session.floor() == 84U);
  session.restored = 90;
  BOOST_TEST(session.floor() == 90U);
  session.high = 10;
  session.restored = 0;
  BOOST_TEST(session.floor() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4
