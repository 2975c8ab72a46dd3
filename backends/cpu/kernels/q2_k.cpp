/// Q2_K times int8: 1344 bytes for 4096 products of a column.
///
/// A byte of qs holds one value of each of four groups, so sixteen loads give sixteen groups of
/// sixteen values, each of which is scaled as an integer; the minima meet the sums of the
/// activations' sixteens, which are split in two bytes for it. One f32 step for the block.
#include "q2_k_block.hpp"
#include "tiles.hpp"

namespace ds4::fast {
namespace {

/// The products of group `8 * Half + 2 * Part + Side` of a block with all columns: of the values
/// that bits 2 * Part and up of its four words hold, times 4^Part where those stay in place.
template <std::uint32_t N, std::uint32_t Half, std::uint32_t Side, std::uint32_t Part>
inline void multiply_group(const Bytes64 (&words)[4], const QuantisedVector* columns,
                           std::uint64_t block, I32 (&sums)[N]) noexcept {
  constexpr std::uint32_t kGroup = 8 * Half + 2 * Part + Side;
  for (I32& sum : sums) sum = all_int(0);
  for (std::uint32_t l = 0; l < 4; ++l) {
    const Bytes64 codes = two_bits_in_place<Part>(words[l]);
    for (std::uint32_t c = 0; c < N; ++c) {
      sums[c] = dot4(sums[c], codes, columns[c].q + block * 256 + 16 * kGroup + 4 * l);
    }
  }
}

/// Adds the groups of `Part` and `Part + 1`, times their scales.
template <std::uint32_t N, std::uint32_t Half, std::uint32_t Side, std::uint32_t Part>
inline void add_groups(const Bytes64 (&words)[4], const Bytes64 (&scales)[4],
                       const QuantisedVector* columns, std::uint64_t block,
                       I32 (&sums)[N]) noexcept {
  static_assert(3 * 127 * 16 <= INT16_MAX, "what is scaled fits in 16 bits");
  const Bytes64 scale = scales[2 * Half + Part / 2];
  I32 first[N];
  multiply_group<N, Half, Side, Part>(words, columns, block, first);
  if constexpr (kTwoBitsStay) {
    I32 second[N];
    multiply_group<N, Half, Side, Part + 1>(words, columns, block, second);
    for (std::uint32_t c = 0; c < N; ++c) {
      sums[c] = plus_pair<Side, 2 * Part, 2 * Part + 2>(sums[c], first[c], second[c], scale);
    }
  } else {
    // One after the other: registers are few.
    for (std::uint32_t c = 0; c < N; ++c) {
      sums[c] = plus_scaled<Side>(sums[c], first[c], scale);
    }
    multiply_group<N, Half, Side, Part + 1>(words, columns, block, first);
    for (std::uint32_t c = 0; c < N; ++c) {
      sums[c] = plus_scaled<Side + 2>(sums[c], first[c], scale);
    }
  }
}

/// The groups that share the words of one half and side.
template <std::uint32_t N, std::uint32_t Half, std::uint32_t Side>
inline void add_side(const std::byte* values, const Bytes64 (&scales)[4],
                     const QuantisedVector* columns, std::uint64_t block, I32 (&sums)[N]) noexcept {
  Bytes64 words[4];
  for (std::uint32_t l = 0; l < 4; ++l) {
    const std::byte* p = values + 64 * (8 * Half + 4 * Side + l);
    prefetch(p + kPrefetchBytes);
    words[l] = load_bytes(p);
  }
  add_groups<N, Half, Side, 0>(words, scales, columns, block, sums);
  add_groups<N, Half, Side, 2>(words, scales, columns, block, sums);
}

template <std::uint32_t N>
inline void step(const std::byte* p, std::uint64_t block, const QuantisedVector* columns,
                 F32 (&totals)[N]) noexcept {
  Bytes64 scales[4];
  for (std::uint32_t q = 0; q < 4; ++q) {
    prefetch(p + kQ2kHalves + 64 * q + kPrefetchBytes);
    scales[q] = load_bytes(p + kQ2kHalves + 64 * q);
  }
  I32 sums[N];
  for (std::uint32_t c = 0; c < N; ++c) sums[c] = all_int(0);
  const std::byte* values = p + kQ2kHalves + 4 * 64;
  add_side<N, 0, 0>(values, scales, columns, block, sums);
  add_side<N, 0, 1>(values, scales, columns, block, sums);
  add_side<N, 1, 0>(values, scales, columns, block, sums);
  add_side<N, 1, 1>(values, scales, columns, block, sums);
  prefetch(p + kPrefetchBytes);
  const Q2kScales at(p);
  for (std::uint32_t c = 0; c < N; ++c) {
    totals[c] =
        at.add(totals[c], sums[c], at.minima(scales, columns[c], block), columns[c].d[block]);
  }
}

}  // namespace

void q2_k_tile(const std::byte* tile, std::uint32_t values, const QuantisedVector* columns,
               std::uint32_t count, float* out) noexcept {
  with_count<kRegisterColumns>(count, [&]<std::uint32_t N>() {
    F32 totals[N];
    for (F32& t : totals) t = zero();
    for (std::uint32_t b = 0; b < values / 256; ++b) {
      step<N>(tile + std::uint64_t{b} * kQ2kBlock, b, columns, totals);
    }
    for (std::uint32_t c = 0; c < N; ++c) store(out + kLanes * c, totals[c]);
  });
}

}  // namespace ds4::fast
