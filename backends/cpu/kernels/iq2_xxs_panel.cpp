/// IQ2_XXS times int8 by matrix instructions: a block's weights are made once for all columns, as
/// bytes 64 +- magnitude; a sub-block's sums are scaled as integers.
#include "column_sums.hpp"
#include "iq2_xxs_decode.hpp"
#include "panels.hpp"
#include "tiles.hpp"

namespace ds4::fast {
namespace {

constexpr std::uint32_t kScales = 2 * kLanes;
constexpr std::uint32_t kValues = 8 * 128;
constexpr std::uint32_t kMost = ColumnSums<32>::kMost;

struct Panel {
  ColumnSums<32> products;
  const QuantisedVector* columns;
  std::uint32_t count;
  float* totals;
  SignedGrid grid;

  void step(const std::byte* scales, const std::byte* values, std::uint64_t block) noexcept {
    alignas(64) std::byte weights[8][32 * kLanes];
    I32 odd[8];
    for (std::uint32_t s = 0; s < 8; ++s, values += 128) {
      prefetch(values + kPrefetchBytes);
      prefetch(values + 64 + kPrefetchBytes);
      const Bytes64 words = load_bytes(values + 64);
      odd[s] = odd_scale(words);
      grid.each_four(load_bytes(values), words, [&](std::uint32_t k, Bytes64 four) {
        store_bytes(weights[s] + 64 * k, four);
      });
    }
    prefetch(scales + kPrefetchBytes);
    I32 sums[kMost];
    for (std::uint32_t c = 0; c < count; ++c) sums[c] = all_int(0);
    for (std::uint32_t s = 0; s < 8; ++s) {
      alignas(64) std::int32_t parts[kLanes * kMost];
      products.start();
      products.add(256 * block + 32 * s, weights[s]);
      products.store(parts);
      for (std::uint32_t c = 0; c < count; ++c) {
        const I32 part = load_ints(parts + kLanes * c) + all_int(columns[c].start[8 * block + s]);
        sums[c] = sums[c] + part * odd[s];
      }
    }
    // The scale of a sub-block is (0.5 + s) / 4 = (2 s + 1) / 8.
    const F32 d = load_halves(scales) * all(0.125F);
    for (std::uint32_t c = 0; c < count; ++c) {
      float* total = totals + kLanes * c;
      store(total, fma(to_f32(sums[c]), d * all(columns[c].d[block]), load(total)));
    }
  }
};

}  // namespace

void iq2_xxs_panel(const std::byte* tile, std::uint32_t values, const QuantisedVector* columns,
                   std::uint32_t count, float* out) noexcept {
  Panel panel{ColumnSums<32>(columns, count), columns, count, out, SignedGrid()};
  std::fill_n(out, kLanes * count, 0.0F);
  const std::uint32_t blocks = values / 256;
  const std::byte* p = tile;
  std::uint32_t b = 0;
  for (; b + 2 <= blocks; b += 2, p += 2 * (kScales + kValues)) {
    panel.step(p, p + 2 * kScales, b);
    panel.step(p + kScales, p + 2 * kScales + kValues, b + 1);
  }
  if (b < blocks) panel.step(p, p + kScales, b);
}

}  // namespace ds4::fast
