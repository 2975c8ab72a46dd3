/// Q8_0 times int8 for many columns: the weights lie as byte products take them.
#include "band_steps.hpp"

namespace ds4::fast {
namespace {

constexpr std::uint32_t kScales = 2 * kLanes;
constexpr std::uint32_t kValues = 32 * kLanes;
constexpr std::uint32_t kRun = 8;  ///< blocks
constexpr std::uint32_t kRunBytes = kRun * (kScales + kValues);

template <std::uint32_t N>
inline void step(const std::byte* scales, const std::byte* values, std::uint64_t tile_bytes,
                 std::uint64_t block, const QuantisedLayout& layout,
                 const std::byte* const* records, float* totals) noexcept {
  BandSums<N> sums =
      kSignedBias == 0 ? no_sums<N>() : begin_sums<N>(records, layout.start + 4 * block);
  add_fours<8>(sums, values, tile_bytes, records, 32 * block,
               [](I32 sum, Bytes64 w, const std::int8_t* a) { return dot4_signed(sum, w, a); });
  F32 d[kBandTiles];
  for (std::uint32_t t = 0; t < kBandTiles; ++t) d[t] = load_halves(scales + t * tile_bytes);
  for (std::uint32_t c = 0; c < N; ++c) {
    const F32 scale = all(value_at<float>(records[c], layout.d + 4 * block));
    for (std::uint32_t t = 0; t < kBandTiles; ++t) {
      float* total = totals + kBandRows * c + kLanes * t;
      store(total, fma(to_f32(sums.of[t][c]), d[t] * scale, load(total)));
    }
  }
}

}  // namespace

void q8_0_band(const std::byte* tiles, std::uint64_t tile_bytes, std::uint32_t values,
               const QuantisedColumns& columns, float* out) noexcept {
  std::fill_n(out, kBandRows * columns.count, 0.0F);
  const std::uint32_t blocks = values / 32;
  const std::byte* p = tiles;
  for (std::uint32_t begin = 0; begin < blocks; begin += kRun, p += kRunBytes) {
    const std::uint32_t end = std::min(begin + kRun, blocks);
    each_columns(columns.count, [&]<std::uint32_t N>(std::uint32_t first) {
      const std::byte* const* records = columns.records + first;
      float* totals = out + std::uint64_t{kBandRows} * first;
      const std::byte* pair = p;
      std::uint32_t b = begin;
      for (; b + 2 <= end; b += 2, pair += 2 * (kScales + kValues)) {
        step<N>(pair, pair + 2 * kScales, tile_bytes, b, columns.layout, records, totals);
        step<N>(pair + kScales, pair + 2 * kScales + kValues, tile_bytes, b + 1, columns.layout,
                records, totals);
      }
      if (b < end) step<N>(pair, pair + kScales, tile_bytes, b, columns.layout, records, totals);
    });
  }
}

}  // namespace ds4::fast
