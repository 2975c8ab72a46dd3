#include "kv/kv_store.hpp"

#include <boost/test/unit_test.hpp>

#include "model/synthetic.hpp"

namespace ds4 {
namespace {

/// Micro: ratios 4 and 128; a page of ratio 4 holds 256 tokens.
KvLayout layout(std::uint32_t slots, std::uint32_t context, std::uint32_t points,
                std::uint32_t percent = 100) {
  return *KvLayout::make(SyntheticSpec::make("micro")->config, {},
                         {slots, context, percent, points});
}

struct Store {
  explicit Store(const KvLayout& of) : kv(of, 1024) {}

  SessionState& open() { return **kv.open_session(); }

  Result<void> grow(SessionState& session, std::uint32_t rows) {
    const SessionGrowth growth{&session, rows};
    if (auto reserved = kv.reserve({&growth, 1}); !reserved) return reserved;
    advance(session, rows);
    return {};
  }

  static void advance(SessionState& session, std::uint32_t rows) {
    session.position += rows;
    session.tokens.resize(session.position);
    session.high = std::max(session.high, session.position);
  }

  [[nodiscard]] RatioDemand demand(std::vector<SessionGrowth> growths) const {
    return kv.demand(growths).ratios[0];
  }

  KvStore kv;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(kv_store)

BOOST_AUTO_TEST_CASE(the_first_writer_of_a_shared_page_copies_the_rows_that_are_there) {
  Store store(layout(2, 512, 0));
  SessionState& a = store.open();
  BOOST_REQUIRE(store.grow(a, 101).ok());
  const std::uint32_t page = a.pages[0].front();
  SessionState& b = **store.kv.fork(a);
  BOOST_TEST(b.pages[0].front() == page);
  BOOST_TEST(b.position == 101U);

  BOOST_REQUIRE(store.grow(b, 2).ok());  // finishes no compressed row: nothing is written
  BOOST_TEST(store.kv.moves().empty());
  BOOST_REQUIRE(store.grow(b, 1).ok());
  BOOST_REQUIRE_EQUAL(store.kv.moves().size(), 1U);
  const PageMove& move = store.kv.moves()[0];
  BOOST_TEST(move.from == page);
  BOOST_TEST(move.to == b.pages[0].front());
  BOOST_TEST(move.to != page);
  BOOST_TEST(move.rows == 25U);
  BOOST_TEST(store.kv.page_table(0)[store.kv.table_begin(0, b.slot)] ==
             static_cast<std::int32_t>(move.to));

  BOOST_REQUIRE(store.grow(a, 3).ok());  // alone with the page now
  BOOST_TEST(store.kv.moves().empty());
  BOOST_TEST(a.pages[0].front() == page);
}

BOOST_AUTO_TEST_CASE(of_two_writers_in_one_step_one_copies) {
  Store store(layout(2, 256, 0));  // as many pages as two sessions can fill, no more
  SessionState& a = store.open();
  BOOST_REQUIRE(store.grow(a, 100).ok());
  SessionState& b = **store.kv.fork(a);
  const std::vector<SessionGrowth> both = {{&a, 4}, {&b, 4}};
  BOOST_TEST(store.demand(both).needed == 1U);
  BOOST_TEST(store.demand(both).available == 1U);
  BOOST_REQUIRE(store.kv.reserve(both).ok());
  BOOST_TEST(store.kv.moves().size() == 1U);
  BOOST_TEST(a.pages[0].front() != b.pages[0].front());
}

BOOST_AUTO_TEST_CASE(moves_that_the_device_refused_are_taken_back) {
  Store store(layout(2, 512, 0));
  SessionState& a = store.open();
  BOOST_REQUIRE(store.grow(a, 100).ok());
  SessionState& b = **store.kv.fork(a);
  const auto pages_a = a.pages, pages_b = b.pages;
  const std::vector<SessionGrowth> both = {{&a, 200}, {&b, 300}};
  const RatioDemand before = store.demand(both);
  BOOST_REQUIRE(store.kv.reserve(both).ok());
  BOOST_TEST(a.pages[0].size() == 2U);
  store.kv.undo_moves();
  BOOST_TEST((a.pages == pages_a));
  BOOST_TEST((b.pages == pages_b));
  BOOST_TEST(store.demand(both).available == before.available);
  BOOST_TEST(store.demand(both).needed == before.needed);
}

BOOST_AUTO_TEST_CASE(restore_points_give_way_to_sessions_and_never_to_nothing) {
  Store store(layout(1, 512, 1, 50));  // one page for sessions, one for the restore point
  SessionState& a = store.open();
  BOOST_REQUIRE(store.grow(a, 100).ok());
  BOOST_REQUIRE(store.kv.add_point(a, 99, true).has_value());
  BOOST_REQUIRE(store.grow(a, 100).ok());
  BOOST_TEST(a.points.size() == 1U);  // both have a page of their own now
  BOOST_TEST(store.demand({{&a, 100}}).needed == 1U);
  BOOST_TEST(store.demand({{&a, 100}}).available == 1U);
  BOOST_REQUIRE(store.grow(a, 100).ok());
  BOOST_TEST(a.points.empty());
}

BOOST_AUTO_TEST_CASE(a_refusal_names_the_numbers_and_the_holders_and_changes_nothing) {
  Store store(layout(3, 512, 1, 50));  // 3 pages and one for the restore point
  SessionState& a = store.open();
  SessionState& b = store.open();
  SessionState& c = store.open();
  BOOST_REQUIRE(store.grow(a, 500).ok());
  BOOST_REQUIRE(store.grow(b, 200).ok());
  BOOST_REQUIRE(store.kv.add_point(b, 200, false).has_value());
  const auto refused = store.grow(c, 300);
  BOOST_REQUIRE(!refused);
  BOOST_TEST((refused.error().code == Errc::out_of_memory));
  BOOST_TEST(refused.error().what ==
             "the step needs 2 KV pages of ratio 4, 1 of 4 are free (session 0 holds 2, session 1 "
             "holds 1); end a session or wait for one");
  BOOST_TEST(b.points.size() == 1U);
  BOOST_TEST(c.pages[0].empty());
  BOOST_TEST(store.grow(c, 200).ok());
}

BOOST_AUTO_TEST_CASE(demand_is_what_a_reservation_takes) {
  // Every combination of a shared or own tail, points on it, and rows that end anywhere.
  for (std::uint32_t position : {1U, 100U, 255U, 256U, 259U}) {
    for (std::uint32_t rows : {1U, 4U, 60U, 253U}) {
      for (const bool is_forked : {false, true}) {
        for (const bool has_point : {false, true}) {
          Store store(layout(3, 1024, 2));
          SessionState& a = store.open();
          BOOST_REQUIRE(store.grow(a, position).ok());
          if (has_point) BOOST_REQUIRE(store.kv.add_point(a, position, true).has_value());
          std::vector<SessionGrowth> growths = {{&a, rows}};
          if (is_forked) growths.push_back({*store.kv.fork(a), rows + 1});
          const RatioDemand demand = store.demand(growths);
          BOOST_REQUIRE(store.kv.reserve(growths).ok());
          std::size_t moves = 0;
          for (const PageMove& move : store.kv.moves()) moves += move.ratio_class == 0 ? 1 : 0;
          // A point is copied away from while there is room, and gives way when there is none.
          BOOST_TEST(moves >= demand.needed);
          BOOST_TEST(moves <= demand.needed + (has_point ? 1 : 0));
          if (!has_point) BOOST_TEST(store.demand({}).available == demand.available - moves);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(restore_points_thin_out_towards_the_beginning) {
  Store store(layout(1, 4096, 4));
  SessionState& a = store.open();
  for (int i = 0; i < 15; ++i) {
    BOOST_REQUIRE(store.grow(a, 256).ok());
    store.kv.add_point(a, a.position - 1, false);
  }
  std::vector<std::uint32_t> positions;
  for (const std::uint32_t index : a.points) positions.push_back(store.kv.point(index).position);
  BOOST_REQUIRE_EQUAL(positions.size(), 4U);
  BOOST_TEST(positions.back() == 3839U);
  for (std::size_t i = 2; i < positions.size(); ++i) {
    BOOST_TEST(positions[i] - positions[i - 1] <= positions[i - 1] - positions[i - 2]);
  }
  // One that was asked for stays, wherever it is.
  store.kv.shorten(a, 0);
  BOOST_REQUIRE(store.grow(a, 10).ok());
  store.kv.add_point(a, 5, true);
  for (int i = 0; i < 10; ++i) {
    BOOST_REQUIRE(store.grow(a, 256).ok());
    store.kv.add_point(a, a.position - 1, false);
  }
  BOOST_TEST(store.kv.point(a.points.front()).position == 5U);
}

BOOST_AUTO_TEST_CASE(everything_is_free_when_all_is_closed) {
  Store store(layout(3, 512, 3));
  const std::uint32_t free = store.demand({}).available;
  SessionState& a = store.open();
  BOOST_REQUIRE(store.grow(a, 300).ok());
  store.kv.add_point(a, 290, true);
  SessionState& b = **store.kv.fork(a);
  BOOST_REQUIRE(store.grow(b, 100).ok());
  store.kv.add_point(b, 390, true);
  store.kv.go_to_point(b, *store.kv.best_point(b, 300));
  BOOST_TEST(b.position == 290U);
  BOOST_TEST(b.floor() == 290U);
  BOOST_TEST(b.points.size() == 1U);
  store.kv.close(a);
  BOOST_TEST(b.points.size() == 1U);
  store.kv.close(b);
  BOOST_TEST(store.demand({}).available == free);
  SessionState& c = store.open();
  for (int i = 0; i < 3; ++i) BOOST_TEST(store.grow(c, 100).ok());
  BOOST_TEST(!store.kv.moves().empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4
