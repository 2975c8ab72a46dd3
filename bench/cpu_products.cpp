// Bytes per second of a CPU backend's products, beside what this machine's memory gives in the same
// run:
//
//   ds4-bench-cpu-products <libds4-backend-cpu-*.so> [threads] [Google Benchmark's options]
//
// Each format has more than 1 GiB of weights in matrices that are taken in turn, so that no cache
// holds them. `GB/s` counts the weights' own bytes, `ratio` is its part of the read probe.
// `ratio_cpu` is the same by the processor time of one thread instead of the clock on the wall:
// what is left of the figure on a machine that does other work meanwhile.
#include <benchmark/benchmark.h>

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/thread_team.hpp"
#include "ds4/backend_sdk.hpp"
#include "tests/conformance/harness/backend.hpp"

namespace {

using ds4::conformance::Backend;

constexpr std::uint64_t kWorkingSet = std::uint64_t{9} << 27;  // 1.125 GiB

struct Shape {
  const char* name;
  std::uint32_t dtype;
  std::uint32_t out;
  std::uint32_t in;
};

/// Matrices of the Flash shape: q_b, a compressor, the down and the gate projections of eight
/// experts.
constexpr Shape kShapes[] = {
    {"Q8_0", DS4_DTYPE_Q8_0, 32768, 1024},
    {"F16", DS4_DTYPE_F16, 2048, 4096},
    {"Q2_K", DS4_DTYPE_Q2_K, 32768, 2048},
    {"IQ2_XXS", DS4_DTYPE_IQ2_XXS, 16384, 4096},
};

struct Random {
  std::uint64_t state;
  std::uint64_t next() noexcept {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
  }
};

/// Random blocks; halves that are read as numbers lie in 1 / 64 .. 1 / 32.
std::vector<std::byte> random_weights(const Shape& shape, std::uint64_t seed) {
  const auto block = ds4::sdk::block_shape(shape.dtype);
  std::vector<std::byte> bytes(std::uint64_t{shape.out} * shape.in / block.values * block.bytes);
  Random random{seed};
  for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8) {
    const std::uint64_t word = random.next();
    std::copy_n(reinterpret_cast<const std::byte*>(&word), 8, bytes.data() + i);
  }
  const auto put_half = [&](std::size_t at) { bytes[at + 1] = std::byte{0x24}; };
  for (std::size_t at = 0; at < bytes.size(); at += block.bytes) {
    if (shape.dtype == DS4_DTYPE_Q2_K) {
      put_half(at + 80);
      put_half(at + 82);
    } else {
      put_half(at);
    }
  }
  return bytes;
}

/// Seconds of processor time of this thread.
double thread_seconds() noexcept {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// Bytes per second by the clock on the wall, and by the caller's processor time.
struct Bandwidth {
  double wall = 0;
  double processor = 0;
};

/// Best of five passes over a working set, all threads.
Bandwidth probe_reads(std::uint32_t threads) {
  typedef std::uint64_t Words __attribute__((vector_size(64)));
  const std::size_t count = kWorkingSet / sizeof(Words);
  const std::unique_ptr<Words[]> memory(new Words[count]);
  ds4::ThreadTeam team(threads);
  struct Job {
    Words* memory;
    std::size_t count;
    bool writes;
  };
  const auto pass = [](void* arg, std::uint32_t thread, std::uint32_t all) {
    const Job& job = *static_cast<Job*>(arg);
    const auto part = ds4::sdk::part_of(job.count, thread, all);
    if (job.writes) {
      for (std::size_t i = part.begin; i < part.end; ++i) job.memory[i] = Words{i};
      return;
    }
    Words sum[4] = {};
    for (std::size_t i = part.begin; i + 4 <= part.end; i += 4) {
      __builtin_prefetch(job.memory + i + 64);
      __builtin_prefetch(job.memory + i + 65);
      __builtin_prefetch(job.memory + i + 66);
      __builtin_prefetch(job.memory + i + 67);
      for (std::size_t k = 0; k < 4; ++k) sum[k] += job.memory[i + k];
    }
    benchmark::DoNotOptimize(sum);
  };
  Job job{memory.get(), count, true};
  team.run(pass, &job);
  job.writes = false;
  Bandwidth best;
  for (int i = 0; i < 5; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const double processor = thread_seconds();
    team.run(pass, &job);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    const auto bytes = static_cast<double>(kWorkingSet);
    best.wall = std::max(best.wall, bytes / took.count());
    best.processor = std::max(best.processor, bytes / (thread_seconds() - processor));
  }
  return best;
}

/// The weights of one format on the backend, given back when the next format comes.
class Matrices {
 public:
  Matrices(Backend& backend, const Shape& shape) : backend_(backend), shape_(shape) {
    const std::vector<std::byte> source = random_weights(shape, 88172645463325252ull);
    bytes_ = source.size();
    ds4_weight_desc desc{};
    desc.struct_size = sizeof(desc);
    desc.dtype = shape.dtype;
    desc.role = DS4_ROLE_MATRIX;
    desc.layer = DS4_NO_LAYER;
    desc.rank = 2;
    desc.extent[0] = shape.out;
    desc.extent[1] = shape.in;
    desc.bytes = bytes_;
    desc.name = shape.name;
    while (weights_.size() * bytes_ < kWorkingSet) {
      auto made = backend.create_weight(desc, source);
      if (!made) break;
      weights_.push_back(*made);
    }
  }
  ~Matrices() {
    for (ds4_weight* weight : weights_) backend_.destroy_weight(weight);
  }
  Matrices(const Matrices&) = delete;
  Matrices& operator=(const Matrices&) = delete;

  [[nodiscard]] bool is_whole() const noexcept { return weights_.size() * bytes_ >= kWorkingSet; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] const ds4_weight* next() noexcept {
    turn_ = (turn_ + 1) % weights_.size();
    return weights_[turn_];
  }

 private:
  Backend& backend_;
  const Shape& shape_;
  std::uint64_t bytes_ = 0;
  std::vector<ds4_weight*> weights_;
  std::size_t turn_ = 0;
};

void run_matmul(benchmark::State& state, Backend& backend, const Shape& shape,
                const Bandwidth& probe) {
  const auto rows = static_cast<std::uint32_t>(state.range(0));
  Matrices matrices(backend, shape);
  if (!matrices.is_whole()) return state.SkipWithError("the weights do not fit in memory");
  auto x = backend.create_buffer(std::uint64_t{rows} * shape.in * 4);
  auto y = backend.create_buffer(std::uint64_t{rows} * shape.out * 4);
  if (!x || !y) return state.SkipWithError("no memory for activations");
  std::vector<float> values(std::size_t{rows} * shape.in);
  Random random{7};
  for (float& value : values) value = static_cast<float>(random.next() % 2001) / 1000.0F - 1.0F;
  if (!backend.write(*x, std::as_bytes(std::span(values)))) return state.SkipWithError("write");
  ds4_op_matmul op{};
  op.op = {sizeof(op), DS4_OP_MATMUL, 0, 0};
  op.rows = {rows, DS4_SLOT_NONE, 0, DS4_SLOT_NONE};
  op.x = ds4::sdk::make_view(*x, 0, DS4_DTYPE_F32, {rows, shape.in});
  op.y = ds4::sdk::make_view(*y, 0, DS4_DTYPE_F32, {rows, shape.out});
  const ds4_op* ops[] = {&op.op};
  const double processor = thread_seconds();
  for (auto step : state) {
    static_cast<void>(step);
    op.weight = matrices.next();
    if (!backend.run(ops, {})) return state.SkipWithError("enqueue failed");
  }
  const double spent = thread_seconds() - processor;
  const double bytes = static_cast<double>(matrices.bytes());
  const double products = static_cast<double>(rows) * shape.out * shape.in;
  using benchmark::Counter;
  state.counters["GB/s"] = Counter(bytes / 1e9, Counter::kIsIterationInvariantRate);
  state.counters["ratio"] = Counter(bytes / probe.wall, Counter::kIsIterationInvariantRate);
  state.counters["ratio_cpu"] =
      static_cast<double>(state.iterations()) * bytes / spent / probe.processor;
  state.counters["Gmac/s"] = Counter(products / 1e9, Counter::kIsIterationInvariantRate);
  backend.destroy_buffer(*x);
  backend.destroy_buffer(*y);
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: %s <libds4-backend-cpu-*.so> [threads] [--benchmark_...]\n",
                 argv[0]);
    return 2;
  }
  const auto threads = static_cast<std::uint32_t>(argc == 3 ? std::atoi(argv[2]) : 2);
  if (threads < 1 || threads > 1024) {
    std::fprintf(stderr, "%s: threads: %s is no number from 1 to 1024\n", argv[0], argv[2]);
    return 2;
  }
  auto opened = Backend::open(argv[1], 0, threads);
  if (!opened) {
    std::fprintf(stderr, "%s: %s\n", argv[0], opened.error().what.c_str());
    return 3;
  }
  Backend& backend = **opened;
  backend.set_workspace_fill({});
  const Bandwidth probe = probe_reads(threads);
  std::printf("%s, %u threads\nread probe: %.1f GB/s over %.2f GiB (%.1f by processor time)\n",
              backend.title().c_str(), threads, probe.wall / 1e9,
              static_cast<double>(kWorkingSet) / (1u << 30), probe.processor / 1e9);
  for (const Shape& shape : kShapes) {
    auto* made = benchmark::RegisterBenchmark(
        shape.name,
        [&backend, &shape, probe](benchmark::State& s) { run_matmul(s, backend, shape, probe); });
    made->ArgName("rows")->Arg(1)->Arg(2)->Arg(4)->Arg(8)->Arg(64)->UseRealTime()->Unit(
        benchmark::kMillisecond);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
