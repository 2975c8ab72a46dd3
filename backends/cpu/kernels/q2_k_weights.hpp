/// The weights of a packed block of Q2_K times their groups' scales: at most 45, a byte, so that a
/// block's sum needs no scales.
#pragma once

#include "../isa/bytes.hpp"
#include "q2_k_block.hpp"

namespace ds4::fast {

/// The weights of group `8 * Half + 2 * Part + Side`, from the words that hold it.
template <std::uint32_t Half, std::uint32_t Side, std::uint32_t Part>
inline void make_q2k_group(const Bytes64 (&words)[4], const Bytes64 (&scales)[4],
                           std::byte* weights) noexcept {
  constexpr std::uint32_t kGroup = 8 * Half + 2 * Part + Side;
  const I32 scale = low_nibble<kGroup % 4>(scales[kGroup / 4]);
  for (std::uint32_t l = 0; l < 4; ++l) {
    const Bytes64 four = scaled(two_bits<Part>(words[l]), scale);
    std::memcpy(weights + 64 * (4 * kGroup + l), &four, sizeof four);
  }
}

/// Those of the groups that share the words of one half and side.
template <std::uint32_t Half, std::uint32_t Side>
inline void make_q2k_side(const std::byte* values, const Bytes64 (&scales)[4],
                          std::byte* weights) noexcept {
  Bytes64 words[4];
  for (std::uint32_t l = 0; l < 4; ++l) {
    words[l] = load_bytes(values + 64 * (8 * Half + 4 * Side + l));
  }
  make_q2k_group<Half, Side, 0>(words, scales, weights);
  make_q2k_group<Half, Side, 1>(words, scales, weights);
  make_q2k_group<Half, Side, 2>(words, scales, weights);
  make_q2k_group<Half, Side, 3>(words, scales, weights);
}

/// All 256 of a block: 64 bytes hold four values of sixteen rows.
inline void make_q2k_weights(const std::byte* block, const Bytes64 (&scales)[4],
                             std::byte* weights) noexcept {
  const std::byte* values = block + kQ2kHalves + 4 * 64;
  make_q2k_side<0, 0>(values, scales, weights);
  make_q2k_side<0, 1>(values, scales, weights);
  make_q2k_side<1, 0>(values, scales, weights);
  make_q2k_side<1, 1>(values, scales, weights);
}

}  // namespace ds4::fast
