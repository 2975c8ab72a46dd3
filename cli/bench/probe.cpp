#include "bench/probe.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <memory>
#include <vector>

#include "base/anonymous_pages.hpp"
#include "base/host_memory.hpp"
#include "bench/processor_time.hpp"

namespace ds4::bench {
namespace {

constexpr std::size_t kLine = 64;

struct Region {
  std::byte* data;
  std::size_t lines;
  std::vector<std::uint64_t> sums;  // by thread; read, so that no load can be left out
};

struct Part {
  std::byte* begin;
  std::size_t lines;
};

Part part_of(const Region& region, std::uint32_t thread, std::uint32_t threads) {
  const std::size_t first = region.lines * thread / threads;
  return {region.data + first * kLine, region.lines * (thread + 1) / threads - first};
}

void touch(void* arg, std::uint32_t thread, std::uint32_t threads) {
  const Part part = part_of(*static_cast<Region*>(arg), thread, threads);
  std::memset(part.begin, static_cast<int>(thread + 1), part.lines * kLine);
}

/// Sums that do not wait for each other: those of one cache line.
struct Sums {
  std::array<std::uint64_t, kLine / sizeof(std::uint64_t)> each{};

  void add(const std::byte* line) {
    std::array<std::uint64_t, kLine / sizeof(std::uint64_t)> words;
    std::memcpy(words.data(), line, kLine);
    for (std::size_t i = 0; i < words.size(); ++i) each[i] += words[i];
  }
  [[nodiscard]] std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t value : each) sum += value;
    return sum;
  }
};

// One stream that waits for the hardware's prefetch reads half of what these read together.
constexpr std::size_t kStreams = 4;
constexpr std::size_t kAhead = 1024;  // bytes

void read(void* arg, std::uint32_t thread, std::uint32_t threads) {
  Region& region = *static_cast<Region*>(arg);
  const Part part = part_of(region, thread, threads);
  const std::size_t each = part.lines / kStreams;
  Sums sums;
  for (std::size_t line = 0; line < each; ++line) {
    for (std::size_t stream = 0; stream < kStreams; ++stream) {
      const std::byte* const at = part.begin + (stream * each + line) * kLine;
      __builtin_prefetch(at + kAhead);
      sums.add(at);
    }
  }
  for (std::size_t line = kStreams * each; line < part.lines; ++line) {
    sums.add(part.begin + line * kLine);
  }
  region.sums[thread] = sums.total();
}

}  // namespace

Result<BandwidthProbe> probe_bandwidth(ThreadTeam& team, std::uint64_t bytes,
                                       std::uint32_t passes) {
  const AnonymousPages pages(std::max<std::size_t>(bytes / kLine * kLine, kLine));
  if (!pages.is_there()) {
    return fail(Errc::out_of_memory, "no memory for a probe of ", pages.bytes(), " bytes");
  }
  Region region{pages.data(), pages.bytes() / kLine, std::vector<std::uint64_t>(team.threads())};
  team.run(&touch, &region);
  BandwidthProbe probe;
  probe.bytes = pages.bytes();
  probe.passes = passes;
  for (std::uint32_t pass = 0; pass < passes; ++pass) {
    const auto begin = std::chrono::steady_clock::now();
    const double processor = thread_seconds();
    team.run(&read, &region);
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    const auto read_bytes = static_cast<double>(pages.bytes());
    probe.bytes_per_second = std::max(probe.bytes_per_second, read_bytes / time.count());
    // The caller does a thread's share of the work.
    probe.processor_bytes_per_second =
        std::max(probe.processor_bytes_per_second,
                 read_bytes / std::max(thread_seconds() - processor, 1e-9));
  }
  // The sums depend on every byte; a wrong one would mean that something was not read.
  std::uint64_t expected = 0;
  std::uint64_t sum = 0;
  for (std::uint32_t thread = 0; thread < team.threads(); ++thread) {
    const Part part = part_of(region, thread, team.threads());
    std::uint64_t word = 0;
    std::memset(&word, static_cast<int>(thread + 1), sizeof word);
    expected += word * (part.lines * (kLine / sizeof word));
    sum += region.sums[thread];
  }
  if (sum != expected) return fail(Errc::internal, "the bandwidth probe read wrong bytes");
  return probe;
}

Result<BandwidthProbe> probe_copies(plugins::Device& device, std::uint64_t bytes,
                                    std::uint32_t passes) {
  const std::uint64_t half = std::max<std::uint64_t>(bytes / 2 / kLine * kLine, kLine);
  const std::uint32_t memory = device.info().memory[0].kind;
  DS4_TRY(const plugins::Buffer from, device.create_buffer(half, memory, DS4_USAGE_ACTIVATION));
  DS4_TRY(const plugins::Buffer to, device.create_buffer(half, memory, DS4_USAGE_ACTIVATION));
  DS4_TRY(const plugins::Stream stream, device.create_stream());
  DS4_CHECK(stream.fill(from, 0, half, 1));
  DS4_CHECK(stream.copy(to, 0, from, 0, half));
  DS4_CHECK(stream.sync());
  BandwidthProbe probe;
  probe.bytes = 2 * half;
  probe.passes = passes;
  for (std::uint32_t pass = 0; pass < passes; ++pass) {
    const auto begin = std::chrono::steady_clock::now();
    DS4_CHECK(stream.copy(to, 0, from, 0, half));
    DS4_CHECK(stream.sync());
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    probe.bytes_per_second =
        std::max(probe.bytes_per_second, static_cast<double>(probe.bytes) / time.count());
  }
  return probe;
}

std::uint64_t probe_size(std::uint64_t wanted) {
  const HostMemory memory = read_host_memory();
  const MemoryBound* tightest = memory.tightest();
  return tightest == nullptr ? wanted : std::min(wanted, tightest->available / 4);
}

}  // namespace ds4::bench
