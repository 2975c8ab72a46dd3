// Time of what a CPU backend does beside its products, at the shapes of Flash:
//
//   ds4-bench-cpu-attention <libds4-backend-cpu-*.so> [threads] [Google Benchmark's options]
//
// Attention, the indexer's scores and choice, and the hyper-connection for one decoded row after
// 512 to 65536 positions. `ms/token` is the time of one call times the layers of Flash that make
// it. Storage is what a model of that length would have for one layer, so it partly stays in
// caches that the other layers' rows would take; rows are few beside weights all the same.
#include <benchmark/benchmark.h>

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "ds4/backend_sdk.hpp"
#include "tests/conformance/harness/backend.hpp"

namespace {

using ds4::conformance::Backend;

constexpr std::uint32_t kHeads = 64;
constexpr std::uint32_t kWidth = 512;
constexpr std::uint32_t kRotary = 64;
constexpr std::uint32_t kWindow = 128;
constexpr std::uint32_t kHidden = 4096;
constexpr std::uint32_t kStreams = 4;
constexpr std::uint32_t kChosen = 512;
constexpr std::uint32_t kIndexHeads = 64;
constexpr std::uint32_t kIndexDim = 128;
constexpr std::uint32_t kRank = 1024;
constexpr std::uint32_t kPageRows = 64;

struct Random {
  std::uint64_t state = 88172645463325252ull;
  std::uint64_t next() noexcept {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
  }
  float value() noexcept { return static_cast<float>(next() % 2001) / 1000.0F - 1.0F; }
};

/// Seconds of processor time of this thread.
double thread_seconds() noexcept {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// Buffers and weights of one benchmark, given back at its end.
class Bench {
 public:
  explicit Bench(Backend& backend) : backend_(backend) {}
  ~Bench() {
    for (ds4_buffer* buffer : buffers_) backend_.destroy_buffer(buffer);
    for (ds4_weight* weight : weights_) backend_.destroy_weight(weight);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  template <class T>
  ds4_view view(const std::vector<T>& values, std::uint32_t dtype,
                std::initializer_list<std::uint32_t> extents, std::uint32_t tail = 0) {
    auto buffer = backend_.create_buffer(values.size() * sizeof(T));
    if (!buffer) {
      failed_ = true;
      return {};
    }
    buffers_.push_back(*buffer);
    if (!backend_.write(*buffer, std::as_bytes(std::span(values)))) failed_ = true;
    return ds4::sdk::make_view(*buffer, 0, dtype, extents, tail);
  }
  ds4_view floats(std::initializer_list<std::uint32_t> extents) {
    std::uint64_t n = 1;
    for (const std::uint32_t e : extents) n *= e;
    std::vector<float> values(n);
    for (float& x : values) x = random_.value();
    return view(values, DS4_DTYPE_F32, extents);
  }
  ds4_view ids(const std::vector<std::int32_t>& values,
               std::initializer_list<std::uint32_t> extents) {
    return view(values, DS4_DTYPE_I32, extents);
  }
  /// Stored rows with random codes and scales near 1.
  ds4_view stored(std::uint32_t dtype, std::uint32_t rows, std::uint32_t width,
                  std::uint32_t tail) {
    const auto layout = dtype == DS4_DTYPE_KV_ROW ? ds4::sdk::kv_row_layout(width, tail)
                                                  : ds4::sdk::index_row_layout(width);
    std::vector<std::uint8_t> bytes(rows * layout.bytes);
    for (std::uint64_t r = 0; r < rows; ++r) {
      std::uint8_t* row = bytes.data() + r * layout.bytes;
      for (std::uint64_t i = 0; i < layout.scales; ++i) {
        const auto code = static_cast<std::uint8_t>(random_.next());
        // No NaN among the codes of 8 bits.
        row[i] = dtype == DS4_DTYPE_KV_ROW && (code & 0x7f) == 0x7f ? 0x30 : code;
      }
      for (std::uint64_t i = layout.scales; i < layout.tail; ++i) row[i] = 120;
      for (std::uint32_t i = 0; i < tail; ++i) {
        const std::uint64_t bits = random_.next();
        row[layout.tail + 2 * i] = static_cast<std::uint8_t>(bits);
        row[layout.tail + 2 * i + 1] = static_cast<std::uint8_t>(0x3e | (bits & 0x8000u) >> 8);
      }
    }
    return view(bytes, dtype, {rows, width}, tail);
  }
  const ds4_weight* weight(std::uint32_t dtype, std::initializer_list<std::uint32_t> extents) {
    ds4_weight_desc desc{};
    desc.struct_size = sizeof(desc);
    desc.dtype = dtype;
    desc.role = extents.size() == 1 ? DS4_ROLE_VECTOR : DS4_ROLE_MATRIX;
    desc.layer = DS4_NO_LAYER;
    desc.name = "weight";
    std::uint64_t n = 1;
    for (const std::uint32_t e : extents) {
      desc.extent[desc.rank++] = e;
      n *= e;
    }
    std::vector<std::byte> bytes;
    if (dtype == DS4_DTYPE_F32) {
      std::vector<float> values(n);
      for (float& x : values) x = random_.value();
      const auto raw = std::as_bytes(std::span(values));
      bytes.assign(raw.begin(), raw.end());
    } else {
      for (std::uint64_t i = 0; i < n; ++i) {
        const std::uint64_t bits = random_.next();
        bytes.push_back(static_cast<std::byte>(bits));
        bytes.push_back(static_cast<std::byte>(0x24 | (bits & 0x8000u) >> 8));  // +-1/64 .. 1/32
      }
    }
    desc.bytes = bytes.size();
    auto made = backend_.create_weight(desc, bytes);
    if (!made) {
      failed_ = true;
      return nullptr;
    }
    weights_.push_back(*made);
    return *made;
  }

  /// `calls` of the op a token.
  void run(benchmark::State& state, const ds4_op& op, std::uint32_t calls) {
    if (failed_) return state.SkipWithError("no memory for the op's data");
    const ds4_op* ops[] = {&op};
    const auto begin = std::chrono::steady_clock::now();
    const double processor = thread_seconds();
    for (auto step : state) {
      static_cast<void>(step);
      if (auto done = backend_.run(ops, {}); !done) {
        return state.SkipWithError(done.error().what.c_str());
      }
    }
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    const double each = calls / static_cast<double>(state.iterations());
    state.counters["ms/token"] = took.count() * each;
    state.counters["cpu_ms/token"] = (thread_seconds() - processor) * 1e3 * each;
  }

 private:
  Backend& backend_;
  Random random_;
  std::vector<ds4_buffer*> buffers_;
  std::vector<ds4_weight*> weights_;
  bool failed_ = false;
};

ds4_rope rope_of(std::uint32_t flags) {
  ds4_rope rope{};
  rope.dims = kRotary;
  rope.flags = flags;
  rope.base = 10000;
  return rope;
}

template <class Op>
Op one_row(std::uint32_t id) {
  Op op{};
  op.op = {sizeof(op), id, 0, 0};
  op.rows = {1, DS4_SLOT_NONE, 0, DS4_SLOT_NONE};
  return op;
}

ds4_row_source pages(Bench& bench, const ds4_view& rows, std::uint32_t seen) {
  const auto count = static_cast<std::uint32_t>(rows.extent[0]) / kPageRows;
  std::vector<std::int32_t> table(count);
  for (std::uint32_t i = 0; i < count; ++i) table[i] = static_cast<std::int32_t>(count - 1 - i);
  ds4_row_source source{};
  source.kind = DS4_SOURCE_PAGES;
  source.page_rows = kPageRows;
  source.rows = rows;
  source.count = bench.ids({static_cast<std::int32_t>(seen)}, {1});
  source.slot = bench.ids({0}, {1});
  source.table = bench.ids(table, {1, count});
  return source;
}

std::uint32_t whole_pages(std::uint32_t rows) {
  return (rows + kPageRows - 1) / kPageRows * kPageRows;
}

/// One row over the window and `pool` compressed rows: chosen ones, or all.
void run_attention(benchmark::State& state, Backend& backend, std::uint32_t ratio,
                   std::uint32_t calls) {
  Bench bench(backend);
  const auto n = static_cast<std::uint32_t>(state.range(0));
  const bool is_indexed = ratio == 4;
  auto op = one_row<ds4_op_attention>(is_indexed ? DS4_OP_ATTN_INDEXED : DS4_OP_ATTN_DECODE);
  op.sink = bench.weight(DS4_DTYPE_F32, {kHeads});
  op.q = bench.floats({1, kHeads, kWidth});
  op.y = bench.floats({1, kHeads, kWidth});
  op.positions = bench.ids({static_cast<std::int32_t>(n - 1)}, {1});
  op.rope = rope_of(DS4_ROPE_INVERSE);
  op.scale = 0.04419417382;
  ds4_row_source& window = op.source[0];
  std::vector<std::int32_t> near(kWindow);
  for (std::uint32_t i = 0; i < kWindow; ++i) near[i] = static_cast<std::int32_t>(i);
  window.kind = DS4_SOURCE_LIST;
  window.rows = bench.stored(DS4_DTYPE_KV_ROW, kWindow, kWidth, kRotary);
  window.list = bench.ids(near, {1, kWindow});
  if (ratio != 0) {
    const std::uint32_t rows = n / ratio;
    const ds4_view pool = bench.stored(DS4_DTYPE_KV_ROW, whole_pages(rows), kWidth, kRotary);
    if (is_indexed) {
      std::vector<std::int32_t> chosen(kChosen, -1);
      const std::uint32_t taken = std::min(kChosen, rows);
      for (std::uint32_t i = 0; i < taken; ++i) {
        chosen[i] = static_cast<std::int32_t>(std::uint64_t{i} * rows / taken);
      }
      op.source[2].kind = DS4_SOURCE_LIST;
      op.source[2].rows = pool;
      op.source[2].list = bench.ids(chosen, {1, kChosen});
    } else {
      op.source[2] = pages(bench, pool, rows);
    }
  }
  bench.run(state, op.op, calls);
}

void run_index_score(benchmark::State& state, Backend& backend) {
  Bench bench(backend);
  const std::uint32_t rows = static_cast<std::uint32_t>(state.range(0)) / 4;
  auto op = one_row<ds4_op_index_score>(DS4_OP_INDEX_SCORE);
  op.wq_b = bench.weight(DS4_DTYPE_F16, {kIndexHeads * kIndexDim, kRank});
  op.proj = bench.weight(DS4_DTYPE_F16, {kIndexHeads, kHidden});
  op.qr = bench.floats({1, kRank});
  op.u = bench.floats({1, kHidden});
  op.positions = bench.ids({static_cast<std::int32_t>(state.range(0)) - 1}, {1});
  op.keys = pages(bench, bench.stored(DS4_DTYPE_INDEX_ROW, whole_pages(rows), kIndexDim, 0), rows);
  op.scores = bench.floats({1, rows});
  op.rope = rope_of(0);
  op.rounding.format = DS4_ROUND_FP4_E2M1;
  op.rounding.block = 32;
  op.rounding.flags = DS4_ROUNDING_HADAMARD;
  op.scale = 0.011;
  op.heads = kIndexHeads;
  op.dim = kIndexDim;
  bench.run(state, op.op, 21);
}

void run_index_topk(benchmark::State& state, Backend& backend) {
  Bench bench(backend);
  const std::uint32_t rows = static_cast<std::uint32_t>(state.range(0)) / 4;
  auto op = one_row<ds4_op_index_topk>(DS4_OP_INDEX_TOPK);
  op.scores = bench.floats({1, rows});
  op.count = bench.ids({static_cast<std::int32_t>(rows)}, {1});
  op.ids = bench.ids(std::vector<std::int32_t>(kChosen), {1, kChosen});
  bench.run(state, op.op, 21);
}

void run_hc_pre(benchmark::State& state, Backend& backend) {
  Bench bench(backend);
  auto op = one_row<ds4_op_hc_pre>(DS4_OP_HC_PRE);
  constexpr std::uint32_t kMixes = (2 + kStreams) * kStreams;
  op.fn = bench.weight(DS4_DTYPE_F16, {kMixes, kStreams * kHidden});
  op.scale = bench.weight(DS4_DTYPE_F32, {3});
  op.base = bench.weight(DS4_DTYPE_F32, {kMixes});
  op.gain = bench.weight(DS4_DTYPE_F32, {kHidden});
  op.x = bench.floats({1, kStreams, kHidden});
  op.y = bench.floats({1, kHidden});
  op.post = bench.floats({1, kStreams});
  op.comb = bench.floats({1, kStreams, kStreams});
  op.eps = 1e-6;
  op.hc_eps = 1e-6;
  op.iterations = 20;
  bench.run(state, op.op, 86);
}

void run_hc_post(benchmark::State& state, Backend& backend) {
  Bench bench(backend);
  auto op = one_row<ds4_op_hc_post>(DS4_OP_HC_POST);
  op.x = bench.floats({1, kStreams, kHidden});
  op.out = bench.floats({1, kHidden});
  op.post = bench.floats({1, kStreams});
  op.comb = bench.floats({1, kStreams, kStreams});
  op.y = bench.floats({1, kStreams, kHidden});
  bench.run(state, op.op, 86);
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
  std::printf("%s, %u threads\n", backend.title().c_str(), threads);
  const auto add = [](const char* name, auto body) {
    return benchmark::RegisterBenchmark(name, body)->UseRealTime()->Unit(benchmark::kMicrosecond);
  };
  const auto by_length = [&](const char* name, auto body) {
    add(name, body)->ArgName("n")->Arg(512)->Arg(2048)->Arg(8192)->Arg(65536);
  };
  // Layers: 2 with the window alone, 21 that choose among rows of 4, 20 that see all rows of 128.
  add("attn_decode_window", [&](benchmark::State& s) { run_attention(s, backend, 0, 2); })
      ->ArgName("n")
      ->Arg(512);
  by_length("attn_indexed", [&](benchmark::State& s) { run_attention(s, backend, 4, 21); });
  by_length("attn_decode_all", [&](benchmark::State& s) { run_attention(s, backend, 128, 20); });
  by_length("index_score", [&](benchmark::State& s) { run_index_score(s, backend); });
  by_length("index_topk", [&](benchmark::State& s) { run_index_topk(s, backend); });
  add("hc_pre", [&](benchmark::State& s) { run_hc_pre(s, backend); });
  add("hc_post", [&](benchmark::State& s) { run_hc_post(s, backend); });
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
