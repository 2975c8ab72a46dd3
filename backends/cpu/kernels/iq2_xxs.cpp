/// IQ2_XXS times int8: 1056 bytes for 4096 products of a column.
///
/// A grid index stands for eight magnitudes out of {8, 25, 43}. Each weight becomes the byte 64 +-
/// its magnitude, so that the byte product takes it as unsigned and 64 times the sum of the
/// activations goes off again; a sub-block's scale is an odd integer. One f32 step for the block.
#include "iq2_xxs_decode.hpp"
#include "tiles.hpp"

namespace ds4::fast {
namespace {

constexpr std::uint32_t kScales = 2 * kLanes;
constexpr std::uint32_t kValues = 8 * 128;

template <std::uint32_t N>
inline void step(const SignedGrid& grid, const std::byte* scales, const std::byte* values,
                 std::uint64_t block, const QuantisedVector* columns, F32 (&totals)[N]) noexcept {
  // Each product waits for the sum before it; where weights are made fast, a few columns have too
  // few of them to hide that.
  constexpr std::uint32_t kChains = SignedGrid::kIsInRegisters && N <= 2 ? 2 : 1;
  I32 sums[N];
  for (std::uint32_t c = 0; c < N; ++c) sums[c] = all_int(0);
  for (std::uint32_t s = 0; s < 8; ++s, values += 128) {
    prefetch(values + kPrefetchBytes);
    prefetch(values + 64 + kPrefetchBytes);
    I32 part[kChains][N];
    for (std::uint32_t c = 0; c < N; ++c) {
      part[0][c] = all_int(columns[c].start[8 * block + s]);
      for (std::uint32_t i = 1; i < kChains; ++i) part[i][c] = all_int(0);
    }
    grid.each_four(load_bytes(values), load_bytes(values + 64),
                   [&](std::uint32_t k, Bytes64 weights) {
                     for (std::uint32_t c = 0; c < N; ++c) {
                       I32& sum = part[k % kChains][c];
                       sum = dot4(sum, weights, columns[c].q + block * 256 + 32 * s + 4 * k);
                     }
                   });
    for (std::uint32_t i = 1; i < kChains; ++i) {
      for (std::uint32_t c = 0; c < N; ++c) part[0][c] = part[0][c] + part[i][c];
    }
    const I32 scale = odd_scale(load_bytes(values + 64));
    for (std::uint32_t c = 0; c < N; ++c) sums[c] = sums[c] + part[0][c] * scale;
  }
  prefetch(scales + kPrefetchBytes);
  // The scale of a sub-block is (0.5 + s) / 4 = (2 s + 1) / 8.
  const F32 d = load_halves(scales) * all(0.125F);
  for (std::uint32_t c = 0; c < N; ++c) {
    totals[c] = fma(to_f32(sums[c]), d * all(columns[c].d[block]), totals[c]);
  }
}

}  // namespace

void iq2_xxs_tile(const std::byte* tile, std::uint32_t values, const QuantisedVector* columns,
                  std::uint32_t count, float* out) noexcept {
  const SignedGrid grid;
  with_count<kRegisterColumns>(count, [&]<std::uint32_t N>() {
    F32 totals[N];
    for (F32& t : totals) t = zero();
    const std::uint32_t blocks = values / 256;
    const std::byte* p = tile;
    std::uint32_t b = 0;
    for (; b + 2 <= blocks; b += 2, p += 2 * (kScales + kValues)) {
      step<N>(grid, p, p + 2 * kScales, b, columns, totals);
      step<N>(grid, p + kScales, p + 2 * kScales + kValues, b + 1, columns, totals);
    }
    if (b < blocks) step<N>(grid, p, p + kScales, b, columns, totals);
    for (std::uint32_t c = 0; c < N; ++c) store(out + kLanes * c, totals[c]);
  });
}

}  // namespace ds4::fast
