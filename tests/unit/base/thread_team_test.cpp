#include "base/thread_team.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <vector>

namespace ds4 {
namespace {

/// Each thread writes its cell, waits, and adds up everybody's: wrong without a working barrier.
struct Exchange {
  ThreadTeam* team;
  std::vector<std::uint32_t> cells;
  std::vector<std::uint32_t> sums;
};

void exchange(void* arg, std::uint32_t thread, std::uint32_t threads) {
  auto& state = *static_cast<Exchange*>(arg);
  for (std::uint32_t round = 1; round <= 50; ++round) {
    state.cells[thread] = round * (thread + 1);
    state.team->barrier();
    std::uint32_t sum = 0;
    for (std::uint32_t i = 0; i < threads; ++i) sum += state.cells[i];
    state.sums[thread] += sum;
    state.team->barrier();
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(thread_team)

BOOST_DATA_TEST_CASE(every_thread_sees_what_the_others_wrote_before_the_barrier,
                     boost::unit_test::data::make({1, 2, 3, 5}), threads) {
  const auto count = static_cast<std::uint32_t>(threads);
  ThreadTeam team(count);
  BOOST_TEST(team.threads() == count);
  Exchange state{&team, std::vector<std::uint32_t>(count), std::vector<std::uint32_t>(count)};
  for (int region = 0; region < 20; ++region) team.run(exchange, &state);
  // Sum over rounds of round * (1 + .. + threads), in each of 20 regions.
  const std::uint32_t expected = 20 * (50 * 51 / 2) * (count * (count + 1) / 2);
  for (const std::uint32_t sum : state.sums) BOOST_TEST(sum == expected);
}

BOOST_AUTO_TEST_CASE(a_team_that_never_ran_stops) {
  const ThreadTeam team(4);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4
