// How fast weights load, against what the file can be read with in the same process:
// ds4-bench-load MODEL [BACKEND] [THREADS] [ROUNDS], by default cpu-avx512, 2 threads, 3 rounds.
//
// Each round, from the disk (the file's pages are taken from the page cache first) and then from
// the page cache: the probe reads the file and drops what it read, by four threads in blocks of
// 8 MiB, through the page cache and, from the disk, past it (O_DIRECT); then the loader's reader
// does the same by io_uring and by threads, and nothing is done with what it read; then the model
// is opened and its weights are loaded. The ratio is load time / (bytes loaded / rate of the faster
// probe): 1 is as fast as the file can be read. "cached" is the share of the file that was in
// memory before; "user" and "kernel" are the processor seconds of loading.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/file_reader.hpp"
#include "engine/weight_loader.hpp"
#include "plan/placement.hpp"
#include "tests/support/runtime.hpp"

namespace ds4 {
namespace {

constexpr double kGiB = 1024.0 * 1024 * 1024;
constexpr std::uint64_t kBlock = 8U << 20;
constexpr std::uint64_t kPage = 4096;

struct Descriptor {
  Descriptor(const std::string& path, int flags)
      : number(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags)) {}
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number;
};

double seconds_of(const std::function<void()>& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Percent of the file's pages that are in memory.
double cached_percent(const std::string& path, std::uint64_t bytes) {
  const Descriptor file(path, 0);
  void* const map = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.number, 0);
  if (map == MAP_FAILED) return -1;
  std::vector<unsigned char> pages((bytes + kPage - 1) / kPage);
  const int status = ::mincore(map, bytes, pages.data());
  ::munmap(map, bytes);
  if (status != 0) return -1;
  const auto there = std::count_if(pages.begin(), pages.end(), [](auto p) { return (p & 1) != 0; });
  return 100.0 * static_cast<double>(there) / static_cast<double>(pages.size());
}

void drop_cache(const std::string& path) {
  const Descriptor file(path, 0);
  (void)::fdatasync(file.number);
  (void)::posix_fadvise(file.number, 0, 0, POSIX_FADV_DONTNEED);
}

/// GiB a second; 0 where the file system has no such reads.
double probe(const std::string& path, std::uint64_t bytes, int flags) {
  const Descriptor file(path, flags);
  if (file.number < 0) return 0;
  std::atomic<std::uint64_t> next{0};
  std::atomic<bool> is_broken{false};
  const auto read_blocks = [&] {
    void* const block = std::aligned_alloc(kPage, kBlock);
    for (std::uint64_t at = next.fetch_add(kBlock); at < bytes; at = next.fetch_add(kBlock)) {
      const std::uint64_t wanted = std::min(kBlock, bytes - at);
      if (::pread(file.number, block, kBlock, static_cast<off_t>(at)) !=
          static_cast<ssize_t>(wanted)) {
        is_broken = true;
      }
    }
    std::free(block);
  };
  const double seconds = seconds_of([&] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back(read_blocks);
    for (std::thread& thread : threads) thread.join();
  });
  return is_broken ? 0 : static_cast<double>(bytes) / kGiB / seconds;
}

/// GiB a second of the reader alone, in pieces of 4 MiB; 0 where there is no such engine.
double reader(const std::string& path, std::uint64_t bytes, ReadEngine engine) {
  const Descriptor file(path, 0);
  const double seconds = seconds_of([&] {
    auto reads = FileReader::open(file.number, path, {{0, bytes, 4U << 20}}, engine);
    if (!reads) return;
    while (!test::must((*reads)->next()).empty()) {
    }
  });
  return seconds < 1e-3 ? 0 : static_cast<double>(bytes) / kGiB / seconds;
}

/// Of this process in user mode and in the kernel, which is what a busy machine changes least.
struct CpuSeconds {
  double user = 0;
  double kernel = 0;
  static CpuSeconds now() {
    rusage usage{};
    (void)::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return {seconds(usage.ru_utime), seconds(usage.ru_stime)};
  }
};

struct Loaded {
  double seconds = 0;
  CpuSeconds cpu;
  double gib = 0;
};

Loaded load(const std::string& path, plugins::Device& device) {
  Loaded out;
  const CpuSeconds before = CpuSeconds::now();
  out.seconds = seconds_of([&] {
    const ModelFile model = test::must(ModelFile::open(path));
    const DeviceShare share = Placement::single(model.config().layers).share(0);
    std::uint64_t read = 0;
    const WeightProgress count = [&](std::uint64_t done, std::uint64_t, std::string_view) {
      read = done;
    };
    const ModelWeights weights = test::must(load_weights(model, device, share, {}, count));
    out.gib = static_cast<double>(read - weights.in_place_bytes) / kGiB;
  });
  const CpuSeconds after = CpuSeconds::now();
  out.cpu = {after.user - before.user, after.kernel - before.kernel};
  return out;
}

struct Rates {
  double cached = 0;
  double direct = 0;
  double buffered = 0;
  double uring = 0;
  double threads = 0;
};

void report(const char* from, const Rates& rates, const Loaded& loaded) {
  const double rate = loaded.gib / loaded.seconds;
  std::printf("%-11s %7.1f %9.2f %9.2f %9.2f %9.2f %9.2f %9.2f %8.3f %7.2f %7.2f\n", from,
              rates.cached, rates.direct, rates.buffered, rates.uring, rates.threads, rate,
              loaded.seconds, std::max(rates.buffered, rates.direct) / rate, loaded.cpu.user,
              loaded.cpu.kernel);
  std::fflush(stdout);
}

int run(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: ds4-bench-load MODEL [BACKEND] [THREADS] [ROUNDS]\n");
    return 2;
  }
  const std::string path = arguments[1];
  const std::string backend = count > 2 ? arguments[2] : "cpu-avx512";
  const auto threads = static_cast<std::uint32_t>(count > 3 ? std::atoi(arguments[3]) : 2);
  const int rounds = count > 4 ? std::atoi(arguments[4]) : 3;
  const std::uint64_t bytes = std::filesystem::file_size(path);
  const auto device = test::open_device(backend, std::max(1U, threads));
  std::printf("%s: %.2f GiB, %s, %u threads\n", path.c_str(), static_cast<double>(bytes) / kGiB,
              backend.c_str(), threads);
  std::printf(
      "from        cached%%   O_DIRECT     probe  io_uring   threads      load   seconds    ratio"
      "    user  kernel\n");
  for (int i = 0; i < rounds; ++i) {
    const auto uncached = [&](auto&& measure) {
      drop_cache(path);
      return measure();
    };
    Rates disk;
    disk.direct = uncached([&] { return probe(path, bytes, O_DIRECT); });
    disk.buffered = uncached([&] { return probe(path, bytes, 0); });
    disk.uring = uncached([&] { return reader(path, bytes, ReadEngine::io_uring); });
    disk.threads = uncached([&] { return reader(path, bytes, ReadEngine::threads); });
    disk.cached = uncached([&] { return cached_percent(path, bytes); });
    report("disk", disk, load(path, *device));
    (void)probe(path, bytes, 0);
    Rates memory;
    memory.buffered = probe(path, bytes, 0);
    memory.uring = reader(path, bytes, ReadEngine::io_uring);
    memory.threads = reader(path, bytes, ReadEngine::threads);
    memory.cached = cached_percent(path, bytes);
    report("page cache", memory, load(path, *device));
  }
  return 0;
}

}  // namespace
}  // namespace ds4

int main(int count, char** arguments) {
  try {
    return ds4::run(count, arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ds4-bench-load: %s\n", error.what());
    return 1;
  }
}
