#include "engine/expert_cache.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cstring>
#include <latch>
#include <numeric>
#include <random>
#include <set>
#include <thread>
#include <vector>

namespace ds4 {
namespace {

using Ids = std::vector<std::int32_t>;

/// A model whose experts are numbers: every word of an expert is layer * 1000 + expert.
struct Fixture {
  static constexpr std::uint64_t kGateUp = 5000;
  static constexpr std::uint64_t kDown = 2500;

  ExpertSource source(std::uint32_t layers = 4, std::uint32_t experts = 16) {
    ExpertSource out;
    out.layers.assign(layers, {kGateUp, kDown});
    out.experts = experts;
    out.load = [this](std::uint32_t, std::uint32_t layer, std::uint32_t expert,
                      std::span<std::byte> gate_up,
                      std::span<std::byte> down) -> Result<std::uint64_t> {
      ++loads;
      if (failing.load() == static_cast<int>(layer * 1000 + expert)) {
        return fail(Errc::io, "expert ", expert, " cannot be read");
      }
      if (gate_up.size() != kGateUp || down.size() != kDown) return fail(Errc::internal, "sizes");
      fill(gate_up, layer * 1000 + expert);
      fill(down, layer * 1000 + expert);
      return kGateUp + kDown;
    };
    return out;
  }
  static void fill(std::span<std::byte> bytes, std::uint32_t value) {
    for (std::size_t at = 0; at + sizeof value <= bytes.size(); at += sizeof value) {
      std::memcpy(bytes.data() + at, &value, sizeof value);
    }
  }
  static std::unique_ptr<ExpertCache> open(ExpertSource from, std::uint32_t slots,
                                           std::uint32_t readers = 2) {
    const std::uint64_t bytes = slots * ExpertCache::slot_bytes(from.layers);
    auto cache = ExpertCache::make(std::move(from), bytes, 1, readers);
    if (!cache) throw std::runtime_error(cache.error().what);
    return *std::move(cache);
  }
  /// True when every view holds its expert.
  static bool holds(std::uint32_t layer, const Ids& ids,
                    const std::vector<ds4_expert_view>& views) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      for (const auto& [data, bytes] : {std::pair(views[i].gate_up, views[i].gate_up_bytes),
                                        std::pair(views[i].down, views[i].down_bytes)}) {
        std::vector<std::byte> expected(bytes);
        fill(expected, layer * 1000 + static_cast<std::uint32_t>(ids[i]));
        if (std::memcmp(data, expected.data(), bytes / 4 * 4) != 0) return false;
      }
    }
    return true;
  }
  static void use(ExpertCache& cache, std::uint32_t layer, const Ids& ids) {
    std::vector<ds4_expert_view> views(ids.size());
    const auto ticket = cache.acquire(layer, ids, views);
    BOOST_TEST_REQUIRE(ticket.ok(), ticket.error().what);
    BOOST_TEST(holds(layer, ids, views));
    cache.release(*ticket);
  }
  static std::string refusal(ExpertCache& cache, std::uint32_t layer, const Ids& ids) {
    std::vector<ds4_expert_view> views(ids.size());
    const auto ticket = cache.acquire(layer, ids, views);
    return ticket ? "" : ticket.error().what;
  }

  std::atomic<int> loads{0};
  std::atomic<int> failing{-1};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(expert_cache, Fixture)

BOOST_AUTO_TEST_CASE(an_expert_is_read_once_while_it_stays) {
  const auto cache = open(source(), 8);
  use(*cache, 1, {3, 5});
  use(*cache, 1, {5, 3, 5});
  use(*cache, 2, {3});
  BOOST_TEST(loads == 3);
  const ExpertCacheCounts counts = cache->counts();
  BOOST_TEST(counts.misses == 3U);
  BOOST_TEST(counts.hits == 3U);
  BOOST_TEST(counts.loads == 3U);
  BOOST_TEST(counts.bytes_read == 3 * (kGateUp + kDown));
  BOOST_TEST(counts.hit_rate() == 0.5);
  cache->reset_counts();
  BOOST_TEST(cache->counts().misses == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_used_least_goes_first) {
  const auto cache = open(source(), 3);
  use(*cache, 0, {0, 1, 2});
  use(*cache, 0, {0, 2});
  use(*cache, 0, {7});  // in the place of 1
  BOOST_TEST(loads == 4);
  use(*cache, 0, {0, 2});
  BOOST_TEST(loads == 4);
  use(*cache, 0, {1});  // in the place of 7: one use, as 1 had
  BOOST_TEST(loads == 5);
  use(*cache, 0, {0, 2});
  BOOST_TEST(loads == 5);
}

BOOST_AUTO_TEST_CASE(what_was_popular_long_ago_can_go) {
  const auto cache = open(source(), 2);
  for (int i = 0; i < 20; ++i) use(*cache, 0, {0});
  for (int i = 0; i < 200; ++i) use(*cache, 1, {1 + i % 2});
  // Both of layer 1 are used more by now than 0 ever counts for.
  const int before = loads;
  use(*cache, 1, {1, 2});
  use(*cache, 1, {1, 2});
  BOOST_TEST(loads <= before + 1);
}

BOOST_AUTO_TEST_CASE(pinned_experts_stay_and_a_cache_that_is_full_of_them_says_so) {
  const auto cache = open(source(), 3);
  std::vector<ds4_expert_view> views(2);
  const Ids ids = {4, 5};
  const auto ticket = cache->acquire(0, ids, views);
  BOOST_TEST_REQUIRE(ticket.ok());
  for (int i = 6; i < 16; ++i) use(*cache, 0, {i});
  BOOST_TEST(holds(0, ids, views));
  BOOST_TEST(refusal(*cache, 0, {1, 2}).find("more than 3 experts are in use") !=
             std::string::npos);
  use(*cache, 0, {1});  // the refused call pinned nothing
  cache->release(*ticket);
  use(*cache, 0, {1, 2, 3});
  cache->release(12345);  // no such ticket
}

BOOST_AUTO_TEST_CASE(wrong_ids_are_refused) {
  const auto cache = open(source(), 4);
  BOOST_TEST(refusal(*cache, 0, {16}) == "layer 0 has no expert 16, only 0..15");
  BOOST_TEST(refusal(*cache, 0, {-1}).find("no expert -1") != std::string::npos);
  BOOST_TEST(refusal(*cache, 4, {0}).find("layer 4 of 4") != std::string::npos);
  cache->prefetch(9, Ids{1});
  cache->prefetch(0, Ids{-1, 99});
  BOOST_TEST(loads == 0);
}

BOOST_AUTO_TEST_CASE(read_ahead_is_counted_and_gives_way) {
  const auto cache = open(source(), 4);
  cache->prefetch(1, Ids{1, 2});
  while (cache->counts().loads < 2U) std::this_thread::yield();
  use(*cache, 1, {1, 2, 3});
  ExpertCacheCounts counts = cache->counts();
  BOOST_TEST(counts.hits == 2U);
  BOOST_TEST(counts.read_ahead == 2U);
  BOOST_TEST(counts.misses == 1U);
  // Foretold and never used: it is there no longer when all room is wanted.
  cache->prefetch(2, Ids{0, 1, 2, 3, 4, 5});
  use(*cache, 3, {0, 1, 2, 3});
  use(*cache, 3, {0, 1, 2, 3});
  BOOST_TEST(cache->counts().misses == 5U);
}

BOOST_AUTO_TEST_CASE(layers_may_have_experts_of_different_sizes) {
  ExpertSource from = source(2, 4);
  from.layers[1] = {100, 20};
  from.load = [](std::uint32_t, std::uint32_t layer, std::uint32_t, std::span<std::byte> gate_up,
                 std::span<std::byte> down) -> Result<std::uint64_t> {
    if (layer == 1 && (gate_up.size() != 100 || down.size() != 20)) {
      return fail(Errc::internal, "sizes");
    }
    return std::uint64_t{1};
  };
  const auto cache = open(std::move(from), 4);
  std::vector<ds4_expert_view> views(1);
  BOOST_TEST_REQUIRE(cache->acquire(1, Ids{2}, views).ok());
  BOOST_TEST(views[0].gate_up_bytes == 100U);
  BOOST_TEST(views[0].down_bytes == 20U);
  BOOST_TEST_REQUIRE(cache->acquire(0, Ids{2}, views).ok());
  BOOST_TEST(views[0].gate_up_bytes == kGateUp);
}

BOOST_AUTO_TEST_CASE(what_is_foretold_and_there_does_not_give_way_to_what_is_not) {
  const auto cache = open(source(), 4);
  use(*cache, 0, {0, 1});
  cache->prefetch(0, Ids{2, 3, 4, 0, 1});
  use(*cache, 0, {0, 1});
  BOOST_TEST(cache->counts().misses == 2U);
}

BOOST_AUTO_TEST_CASE(what_is_there_does_not_give_way_to_another_of_the_same_call) {
  const auto cache = open(source(), 2);
  use(*cache, 0, {5});
  use(*cache, 0, {5});
  use(*cache, 0, {1});
  use(*cache, 0, {0, 1});
  BOOST_TEST(cache->counts().loads == 3U);
}

BOOST_AUTO_TEST_CASE(more_than_is_soon_used_may_be_foretold) {
  const auto cache = open(source(1, 200), 150);
  Ids first(150);
  std::iota(first.begin(), first.end(), 0);
  cache->prefetch(0, first);
  while (cache->counts().loads < 150U) std::this_thread::yield();
  cache->prefetch(0, Ids{150, 151, 152, 153});
  use(*cache, 0, {0, 1, 2, 3});
  BOOST_TEST(cache->counts().misses == 0U);
  BOOST_TEST(cache->counts().loads == 150U);
}

BOOST_AUTO_TEST_CASE(a_read_that_fails_is_told_to_all_who_wait_and_tried_again) {
  const auto cache = open(source(), 4);
  failing = 2007;
  BOOST_TEST(refusal(*cache, 2, {1, 7}) == "expert 7 cannot be read");
  BOOST_TEST(refusal(*cache, 2, {7, 7}) == "expert 7 cannot be read");
  cache->prefetch(2, Ids{7});
  failing = -1;
  use(*cache, 2, {1, 7});
  // No slot was lost on the way.
  use(*cache, 3, {0, 1, 2, 3});
}

BOOST_AUTO_TEST_CASE(misses_of_a_call_are_read_side_by_side) {
  std::latch all(4);
  ExpertSource from = source();
  from.load = [&all](std::uint32_t, std::uint32_t, std::uint32_t, std::span<std::byte>,
                     std::span<std::byte>) -> Result<std::uint64_t> {
    all.arrive_and_wait();  // returns only when four readers are here at once
    return std::uint64_t{1};
  };
  const auto held = open(std::move(from), 8, 4);
  std::vector<ds4_expert_view> views(4);
  const auto ticket = held->acquire(0, Ids{0, 1, 2, 3}, views);
  BOOST_TEST(ticket.ok());
  BOOST_TEST(held->counts().waited_seconds > 0);
}

BOOST_AUTO_TEST_CASE(what_is_still_on_the_way_is_late_and_no_hit) {
  std::latch asked_for(1);
  ExpertSource from = source();
  from.load = [&asked_for](std::uint32_t, std::uint32_t, std::uint32_t, std::span<std::byte>,
                           std::span<std::byte>) -> Result<std::uint64_t> {
    asked_for.wait();
    return std::uint64_t{1};
  };
  const auto held = open(std::move(from), 8);
  held->prefetch(3, Ids{0, 1, 2});
  std::thread opener([&] {
    // acquire() counts before it waits: nothing was there when it asked.
    while (held->counts().late < 3U) std::this_thread::yield();
    asked_for.count_down();
  });
  std::vector<ds4_expert_view> views(3);
  const auto ticket = held->acquire(3, Ids{0, 1, 2}, views);
  opener.join();
  BOOST_TEST_REQUIRE(ticket.ok());
  held->release(*ticket);
  ExpertCacheCounts counts = held->counts();
  BOOST_TEST(counts.misses == 0U);
  BOOST_TEST(counts.hits == 0U);
  BOOST_TEST(counts.read_ahead == 0U);
  BOOST_TEST(counts.late == 3U);
  BOOST_TEST(counts.waited_seconds > 0);
  // In time, it is a hit.
  held->prefetch(2, Ids{5});
  while (held->counts().loads < 4U) std::this_thread::yield();
  BOOST_TEST_REQUIRE(held->acquire(2, Ids{5}, views).ok());
  counts = held->counts();
  BOOST_TEST(counts.hits == 1U);
  BOOST_TEST(counts.read_ahead == 1U);
  BOOST_TEST(counts.late == 3U);
}

BOOST_AUTO_TEST_CASE(reads_that_fail_before_anybody_asks_give_their_slots_back) {
  std::atomic<bool> disk_fails{true};
  ExpertSource from = source();
  from.load = [&disk_fails](std::uint32_t, std::uint32_t layer, std::uint32_t expert,
                            std::span<std::byte> gate_up,
                            std::span<std::byte> down) -> Result<std::uint64_t> {
    if (disk_fails) return fail(Errc::io, "expert ", expert, " cannot be read");
    fill(gate_up, layer * 1000 + expert);
    fill(down, layer * 1000 + expert);
    return std::uint64_t{1};
  };
  const auto cache = open(std::move(from), 4);
  std::uint64_t read = 0;
  for (int round = 0; round < 20; ++round) {
    // Every slot: a round after one that kept some would read fewer, and never end.
    cache->prefetch(static_cast<std::uint32_t>(round % 4), Ids{0, 1, 2, 3});
    read += 4;
    while (cache->counts().loads < read) std::this_thread::yield();
  }
  // Whoever asks is told, and is told again: a failure of a read ahead stands for no other.
  cache->prefetch(1, Ids{2});
  BOOST_TEST(refusal(*cache, 1, {2, 3}).find("cannot be read") != std::string::npos);
  disk_fails = false;
  use(*cache, 1, {0, 1, 2, 3});
  use(*cache, 2, {0, 1, 2, 3});
}

BOOST_AUTO_TEST_CASE(a_cache_ends_with_reads_that_nobody_came_for) {
  std::latch ends(1);
  ExpertSource from = source();
  std::atomic<int> begun{0};
  from.load = [&](std::uint32_t, std::uint32_t, std::uint32_t, std::span<std::byte> gate_up,
                  std::span<std::byte> down) -> Result<std::uint64_t> {
    ++begun;
    ends.wait();
    fill(gate_up, 1);  // the memory is there as long as a reader is
    fill(down, 1);
    return std::uint64_t{1};
  };
  std::thread opener;
  {
    const auto cache = open(std::move(from), 8);
    cache->prefetch(0, Ids{0, 1, 2, 3, 4, 5});
    while (begun < 2) std::this_thread::yield();
    opener = std::thread([&ends] { ends.count_down(); });
  }
  opener.join();
  const int before = begun;
  BOOST_TEST(before <= 6);
  std::this_thread::yield();
  BOOST_TEST(begun == before);
}

BOOST_AUTO_TEST_CASE(a_cache_that_is_too_small_says_what_it_needs) {
  const ExpertSource from = source();
  const std::uint64_t slot = ExpertCache::slot_bytes(from.layers);
  BOOST_TEST(slot == 8192U);
  const auto cache = ExpertCache::make(from, 3 * slot - 1, 6, 1);
  BOOST_TEST_REQUIRE(!cache.ok());
  BOOST_TEST(cache.error().what ==
             "an expert cache of 24575 bytes holds 2 experts of 8192 bytes; at least 6 are needed, "
             "49152 bytes");
  // More than there are experts is not taken.
  BOOST_TEST(open(source(2, 3), 100)->capacity() == 6U);
}

BOOST_AUTO_TEST_CASE(many_threads_get_their_own_experts) {
  const auto cache = open(source(3, 12), 14, 3);
  std::atomic<int> wrong{0};
  std::atomic<std::uint64_t> asked{0};
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int i = 0; i < 400; ++i) {
        const auto layer = static_cast<std::uint32_t>(random() % 3);
        Ids ids(1 + random() % 4);
        for (std::int32_t& id : ids) id = static_cast<std::int32_t>(random() % 12);
        std::vector<ds4_expert_view> views(ids.size());
        if (random() % 2 == 0) cache->prefetch((layer + 1) % 3, ids);
        const auto ticket = cache->acquire(layer, ids, views);
        if (!ticket || !holds(layer, ids, views)) ++wrong;
        if (ticket) cache->release(*ticket);
        asked += ids.size();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(wrong == 0);
  const ExpertCacheCounts counts = cache->counts();
  BOOST_TEST(counts.hits > 0U);
  // Each id of each call is one of the three.
  BOOST_TEST(counts.hits + counts.late + counts.misses == asked);
  BOOST_TEST(counts.loads > 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace ds4
