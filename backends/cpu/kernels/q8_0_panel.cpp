/// Q8_0 times int8 by matrix instructions: the weights lie as a tile takes them, plus 128, which
/// goes off again with the sum of the activations.
#include "column_sums.hpp"
#include "panels.hpp"
#include "tiles.hpp"

namespace ds4::fast {
namespace {

constexpr std::uint32_t kScales = 2 * kLanes;
constexpr std::uint32_t kValues = 32 * kLanes;

void step(ColumnSums<32>& products, const std::byte* scales, const std::byte* values,
          std::uint32_t block, const QuantisedVector* columns, std::uint32_t count,
          float* totals) noexcept {
  alignas(64) std::int32_t sums[kLanes * ColumnSums<32>::kMost];
  for (std::uint32_t g = 0; g < 8; ++g) prefetch(values + 64 * g + kPrefetchBytes);
  products.start();
  products.add(std::uint64_t{block} * 32, values);
  products.store(sums);
  const F32 d = load_halves(scales);
  for (std::uint32_t c = 0; c < count; ++c) {
    float* total = totals + kLanes * c;
    const I32 sum = load_ints(sums + kLanes * c) + all_int(columns[c].start[block]);
    store(total, fma(to_f32(sum), d * all(columns[c].d[block]), load(total)));
  }
}

}  // namespace

void q8_0_panel(const std::byte* tile, std::uint32_t values, const QuantisedVector* columns,
                std::uint32_t count, float* out) noexcept {
  ColumnSums<32> products(columns, count);
  std::fill_n(out, kLanes * count, 0.0F);
  const std::uint32_t blocks = values / 32;
  const std::byte* p = tile;
  std::uint32_t b = 0;
  for (; b + 2 <= blocks; b += 2, p += 2 * (kScales + kValues)) {
    prefetch(p + kPrefetchBytes);
    step(products, p, p + 2 * kScales, b, columns, count, out);
    step(products, p + kScales, p + 2 * kScales + kValues, b + 1, columns, count, out);
  }
  if (b < blocks) step(products, p, p + kScales, b, columns, count, out);
}

}  // namespace ds4::fast
