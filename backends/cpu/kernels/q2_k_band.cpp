/// Q2_K times int8 for many columns: a code times its group's scale is at most 45, still a byte, so
/// a block's weights are made once, and its sum needs no scales.
#include "band_steps.hpp"
#include "q2_k_block.hpp"
#include "q2_k_weights.hpp"

namespace ds4::fast {
namespace {

constexpr std::uint32_t kBlock = 256 * kLanes;  ///< bytes of a decoded block

/// The blocks of a band at hand.
struct Weights {
  alignas(64) std::byte values[kBandTiles][kBlock];
  Bytes64 scales[kBandTiles][4];
  F32 d[kBandTiles];
  F32 dmin[kBandTiles];

  void decode(const std::byte* block, std::uint64_t tile_bytes) noexcept {
    for (std::uint32_t t = 0; t < kBandTiles; ++t, block += tile_bytes) {
      for (std::uint32_t q = 0; q < 4; ++q) scales[t][q] = load_bytes(block + kQ2kHalves + 64 * q);
      make_q2k_weights(block, scales[t], values[t]);
    }
  }
};

template <std::uint32_t N>
inline void step(const Weights& weights, const std::byte* p, std::uint64_t tile_bytes,
                 std::uint64_t block, const QuantisedLayout& layout,
                 const std::byte* const* records, float* totals) noexcept {
  BandSums<N> sums = no_sums<N>();
  for (std::uint32_t t = 0; t < 4; ++t) {
    add_fours<16>(sums, weights.values[0] + std::uint64_t{16 * 64} * t, kBlock, records,
                  256 * block + 64 * t,
                  [](I32 sum, Bytes64 w, const std::int8_t* a) { return dot4(sum, w, a); });
  }
  for (std::uint32_t t = 0; t < kBandTiles; ++t) {
    const Q2kScales at(p + t * tile_bytes);
    for (std::uint32_t c = 0; c < N; ++c) {
      float* total = totals + kBandRows * c + kLanes * t;
      store(total, at.add(load(total), sums.of[t][c],
                          at.minima(weights.scales[t], layout.at(records[c]), block),
                          value_at<float>(records[c], layout.d + 4 * block)));
    }
  }
}

}  // namespace

void q2_k_band(const std::byte* tiles, std::uint64_t tile_bytes, std::uint32_t values,
               const QuantisedColumns& columns, float* out) noexcept {
  std::fill_n(out, kBandRows * columns.count, 0.0F);
  Weights weights;
  const std::byte* p = tiles;
  for (std::uint32_t b = 0; b < values / 256; ++b, p += kQ2kBlock) {
    weights.decode(p, tile_bytes);
    each_columns(columns.count, [&]<std::uint32_t N>(std::uint32_t first) {
      step<N>(weights, p, tile_bytes, b, columns.layout, columns.records + first,
              out + std::uint64_t{kBandRows} * first);
    });
  }
}

}  // namespace ds4::fast
