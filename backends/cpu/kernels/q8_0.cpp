/// Q8_0 times int8: 544 bytes for 512 products of a column, eight byte products and one f32 step.
#include "../isa/bytes.hpp"
#include "tiles.hpp"

namespace ds4::fast {
namespace {

constexpr std::uint32_t kScales = 2 * kLanes;
constexpr std::uint32_t kValues = 32 * kLanes;

template <std::uint32_t N>
inline void step(const std::byte* scales, const std::byte* values, std::uint32_t block,
                 const QuantisedVector* columns, F32 (&sums)[N]) noexcept {
  I32 part[N];
  for (std::uint32_t c = 0; c < N; ++c) {
    part[c] = all_int(kSignedBias == 0 ? 0 : columns[c].start[block]);
  }
  for (std::uint32_t g = 0; g < 8; ++g) {
    prefetch(values + 64 * g + kPrefetchBytes);
    const Bytes64 w = load_bytes(values + 64 * g);
    for (std::uint32_t c = 0; c < N; ++c) {
      part[c] = dot4_signed(part[c], w, columns[c].q + std::uint64_t{block} * 32 + 4 * g);
    }
  }
  const F32 d = load_halves(scales);
  for (std::uint32_t c = 0; c < N; ++c) {
    sums[c] = fma(to_f32(part[c]), d * all(columns[c].d[block]), sums[c]);
  }
}

}  // namespace

void q8_0_tile(const std::byte* tile, std::uint32_t values, const QuantisedVector* columns,
               std::uint32_t count, float* out) noexcept {
  with_count<kRegisterColumns>(count, [&]<std::uint32_t N>() {
    F32 sums[N];
    for (F32& s : sums) s = zero();
    const std::uint32_t blocks = values / 32;
    const std::byte* p = tile;
    std::uint32_t b = 0;
    for (; b + 2 <= blocks; b += 2, p += 2 * (kScales + kValues)) {
      prefetch(p + kPrefetchBytes);
      step<N>(p, p + 2 * kScales, b, columns, sums);
      step<N>(p + kScales, p + 2 * kScales + kValues, b + 1, columns, sums);
    }
    if (b < blocks) step<N>(p, p + kScales, b, columns, sums);
    for (std::uint32_t c = 0; c < N; ++c) store(out + kLanes * c, sums[c]);
  });
}

}  // namespace ds4::fast
