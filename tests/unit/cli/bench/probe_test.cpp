#include "bench/probe.hpp"

#include <boost/test/unit_test.hpp>

namespace ds4::bench {

BOOST_AUTO_TEST_SUITE(bench_probe)

BOOST_AUTO_TEST_CASE(every_byte_is_read_by_any_number_of_threads) {
  for (const std::uint32_t threads : {1U, 2U, 3U}) {
    ThreadTeam team(threads);
    for (const std::uint64_t bytes :
         {std::uint64_t{64}, std::uint64_t{192}, std::uint64_t{1} << 20}) {
      const auto probe = probe_bandwidth(team, bytes, 2);
      BOOST_TEST_REQUIRE(probe.ok(), probe.error().what);  // sums are checked inside
      BOOST_TEST(probe->bytes == bytes);
      BOOST_TEST(probe->bytes_per_second > 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(memory_that_is_not_there_is_an_error) {
  ThreadTeam team(1);
  const auto probe = probe_bandwidth(team, std::uint64_t{1} << 60, 1);
  BOOST_TEST_REQUIRE(!probe.ok());
  BOOST_TEST(int(probe.error().code) == int(Errc::out_of_memory));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4::bench
