/// F16 weights times f32 for many columns: a run of weights becomes f32 once. The running sums of
/// even and of odd values do not meet before the end, so each takes its values of a run by itself.
#include "band_steps.hpp"

namespace ds4::fast {
namespace {

constexpr std::uint32_t kRun = 32;  ///< values, even
constexpr std::uint32_t kBytes = 2 * kLanes;

using Weights = float[kBandTiles][kRun * kLanes];
using Values = float[kRun];  ///< of a column

/// Adds values first, first + 2, ... of a run's `count` to N columns' totals.
template <std::uint32_t N>
inline void add_run(const Weights& weights, std::uint32_t first, std::uint32_t count,
                    const Values* values, float* totals) noexcept {
  F32 sums[kBandTiles][N];
  for (std::uint32_t c = 0; c < N; ++c) {
    for (std::uint32_t t = 0; t < kBandTiles; ++t) {
      sums[t][c] = load(totals + kBandRows * c + kLanes * t);
    }
  }
  for (std::uint32_t k = first; k < count; k += 2) {
    F32 w[kBandTiles];
    for (std::uint32_t t = 0; t < kBandTiles; ++t) w[t] = load(weights[t] + kLanes * k);
    for (std::uint32_t c = 0; c < N; ++c) {
      const F32 x = all(values[c][k]);
      for (std::uint32_t t = 0; t < kBandTiles; ++t) sums[t][c] = fma(w[t], x, sums[t][c]);
    }
  }
  for (std::uint32_t c = 0; c < N; ++c) {
    for (std::uint32_t t = 0; t < kBandTiles; ++t) {
      store(totals + kBandRows * c + kLanes * t, sums[t][c]);
    }
  }
}

}  // namespace

void f16_band(const std::byte* tiles, std::uint64_t tile_bytes, std::uint32_t values,
              const float* const* columns, std::uint32_t count, float* out) noexcept {
  alignas(64) float odd[kBandRows * kMostBandColumns];
  std::fill_n(out, kBandRows * count, 0.0F);
  std::fill_n(odd, kBandRows * count, 0.0F);
  alignas(64) Weights weights;
  alignas(64) Values run[kMostBandColumns];
  const std::byte* p = tiles;
  for (std::uint64_t begin = 0; begin < values; begin += kRun, p += kRun * kBytes) {
    const auto n = static_cast<std::uint32_t>(std::min<std::uint64_t>(kRun, values - begin));
    for (std::uint32_t t = 0; t < kBandTiles; ++t) {
      for (std::uint32_t k = 0; k < n; ++k) {
        store(weights[t] + kLanes * k, load_halves(p + t * tile_bytes + kBytes * k));
      }
    }
    for (std::uint32_t c = 0; c < count; ++c) {
      each_lanes(n, [&](auto get, auto put) { put(run[c], get(columns[c] + begin)); });
    }
    each_columns(count, [&]<std::uint32_t N>(std::uint32_t first) {
      const std::uint64_t at = std::uint64_t{kBandRows} * first;
      add_run<N>(weights, 0, n, run + first, out + at);
      add_run<N>(weights, 1, n, run + first, odd + at);
    });
  }
  for (std::uint32_t i = 0; i < kBandRows * count; i += kLanes) {
    store(out + i, load(out + i) + load(odd + i));
  }
}

}  // namespace ds4::fast
