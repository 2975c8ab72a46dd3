/// IQ2_XXS times int8 for many columns: a block's weights are made once, as bytes 64 +- magnitude;
/// a sub-block's sums are scaled as integers.
#include "band_steps.hpp"
#include "iq2_xxs_decode.hpp"

namespace ds4::fast {
namespace {

constexpr std::uint32_t kScales = 2 * kLanes;
constexpr std::uint32_t kValues = 8 * 128;
constexpr std::uint32_t kBlock = 256 * kLanes;  ///< bytes of a decoded block

/// The blocks of a band at hand.
struct Weights {
  alignas(64) std::byte values[kBandTiles][kBlock];
  I32 odd[kBandTiles][8];
  F32 d[kBandTiles];

  void decode(const SignedGrid& grid, const std::byte* scales, const std::byte* codes,
              std::uint64_t tile_bytes) noexcept {
    for (std::uint32_t t = 0; t < kBandTiles; ++t, scales += tile_bytes, codes += tile_bytes) {
      for (std::uint32_t s = 0; s < 8; ++s) {
        const Bytes64 words = load_bytes(codes + 128 * s + 64);
        odd[t][s] = odd_scale(words);
        grid.each_four(load_bytes(codes + 128 * s), words, [&](std::uint32_t k, Bytes64 four) {
          std::memcpy(values[t] + 64 * (8 * s + k), &four, sizeof four);
        });
      }
      // The scale of a sub-block is (0.5 + s) / 4 = (2 s + 1) / 8.
      d[t] = load_halves(scales) * all(0.125F);
    }
  }
};

template <std::uint32_t N>
inline void step(const Weights& weights, std::uint64_t block, const QuantisedLayout& layout,
                 const std::byte* const* records, float* totals) noexcept {
  BandSums<N> sums = no_sums<N>();
  for (std::uint32_t s = 0; s < 8; ++s) {
    BandSums<N> part = begin_sums<N>(records, layout.start + 4 * (8 * block + s));
    add_fours<8>(part, weights.values[0] + 512 * s, kBlock, records, 256 * block + 32 * s,
                 [](I32 sum, Bytes64 w, const std::int8_t* a) { return dot4(sum, w, a); });
    for (std::uint32_t t = 0; t < kBandTiles; ++t) {
      for (std::uint32_t c = 0; c < N; ++c) {
        sums.of[t][c] = sums.of[t][c] + part.of[t][c] * weights.odd[t][s];
      }
    }
  }
  for (std::uint32_t c = 0; c < N; ++c) {
    const F32 scale = all(value_at<float>(records[c], layout.d + 4 * block));
    for (std::uint32_t t = 0; t < kBandTiles; ++t) {
      float* total = totals + kBandRows * c + kLanes * t;
      store(total, fma(to_f32(sums.of[t][c]), weights.d[t] * scale, load(total)));
    }
  }
}

}  // namespace

void iq2_xxs_band(const std::byte* tiles, std::uint64_t tile_bytes, std::uint32_t values,
                  const QuantisedColumns& columns, float* out) noexcept {
  std::fill_n(out, kBandRows * columns.count, 0.0F);
  const SignedGrid grid;
  Weights weights;
  const std::uint32_t blocks = values / 256;
  for (std::uint32_t b = 0; b < blocks; ++b) {
    // Two blocks lie together, a last one alone.
    const std::byte* pair = tiles + std::uint64_t{b / 2} * 2 * (kScales + kValues);
    const bool is_alone = b + 1 == blocks && b % 2 == 0;
    const std::byte* codes = is_alone ? pair + kScales : pair + 2 * kScales + b % 2 * kValues;
    weights.decode(grid, pair + b % 2 * kScales, codes, tile_bytes);
    each_columns(columns.count, [&]<std::uint32_t N>(std::uint32_t first) {
      step<N>(weights, b, columns.layout, columns.records + first,
              out + std::uint64_t{kBandRows} * first);
    });
  }
}

}  // namespace ds4::fast
