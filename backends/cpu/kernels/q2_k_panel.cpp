/// Q2_K times int8 by matrix instructions: a code times its group's scale is at most 45, a byte, so
/// that a tile sums a whole block without looking at scales. The minima stay with vector registers.
#include "column_sums.hpp"
#include "panels.hpp"
#include "q2_k_block.hpp"
#include "q2_k_weights.hpp"
#include "tiles.hpp"

namespace ds4::fast {
namespace {

constexpr std::uint32_t kRows = 64;  ///< rows of a block's operand: four values of it each

void step(ColumnSums<64>& products, const std::byte* p, std::uint64_t block,
          const QuantisedVector* columns, std::uint32_t count, float* totals) noexcept {
  Bytes64 scales[4];
  for (std::uint32_t q = 0; q < 4; ++q) {
    prefetch(p + kQ2kHalves + 64 * q + kPrefetchBytes);
    scales[q] = load_bytes(p + kQ2kHalves + 64 * q);
  }
  alignas(64) std::byte weights[64 * kRows];
  for (std::uint32_t l = 0; l < 16; ++l) {
    prefetch(p + kQ2kHalves + 64 * (4 + l) + kPrefetchBytes);
  }
  make_q2k_weights(p, scales, weights);
  prefetch(p + kPrefetchBytes);
  alignas(64) std::int32_t sums[kLanes * ColumnSums<64>::kMost];
  products.start();
  for (std::uint32_t t = 0; t < 4; ++t) {
    products.add(256 * block + 64 * t, weights + std::uint64_t{t} * (64 * kRows / 4));
  }
  products.store(sums);
  const Q2kScales at(p);
  for (std::uint32_t c = 0; c < count; ++c) {
    float* total = totals + kLanes * c;
    store(total, at.add(load(total), load_ints(sums + kLanes * c),
                        at.minima(scales, columns[c], block), columns[c].d[block]));
  }
}

}  // namespace

void q2_k_panel(const std::byte* tile, std::uint32_t values, const QuantisedVector* columns,
                std::uint32_t count, float* out) noexcept {
  ColumnSums<64> products(columns, count);
  std::fill_n(out, kLanes * count, 0.0F);
  for (std::uint32_t b = 0; b < values / 256; ++b) {
    step(products, tile + std::uint64_t{b} * kQ2kBlock, b, columns, count, out);
  }
}

}  // namespace ds4::fast
