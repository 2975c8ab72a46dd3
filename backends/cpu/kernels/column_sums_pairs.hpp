/// The sums of column_sums.hpp by products of two rows with two columns, eight values deep (I8MM).
///
/// Two rows of weights must lie as eight values each: they are brought so once for all columns.
#pragma once

#include <algorithm>

#include "../isa/bytes.hpp"
#include "panels.hpp"

namespace ds4::fast {

template <std::uint32_t Depth>
class ColumnSums {
 public:
  static constexpr std::uint32_t kMost = kMostPanelColumns;

  ColumnSums(const QuantisedVector* columns, std::uint32_t count) noexcept
      : columns_(columns), count_(count) {}

  void start() noexcept {
    for (std::uint32_t c = 0; c < count_; c += 2) {
      for (int32x4_t& square : squares_[c / 2]) square = vdupq_n_s32(0);
    }
  }

  void add(std::uint64_t first, const std::byte* weights) noexcept {
    constexpr std::uint32_t kSteps = Depth / 8;
    uint8x16_t pairs[kSteps][kPairs];
    const auto* words = reinterpret_cast<const std::uint8_t*>(weights);
    for (std::uint32_t s = 0; s < kSteps; ++s, words += 2 * 64) {
      for (std::uint32_t i = 0; i < kPairs / 2; ++i) {
        // Four values of four rows, and the next four of them.
        const uint32x4_t near = vreinterpretq_u32_u8(vld1q_u8(words + 16 * i));
        const uint32x4_t far = vreinterpretq_u32_u8(vld1q_u8(words + 64 + 16 * i));
        pairs[s][2 * i] = vreinterpretq_u8_u32(vzip1q_u32(near, far));
        pairs[s][2 * i + 1] = vreinterpretq_u8_u32(vzip2q_u32(near, far));
      }
    }
    for (std::uint32_t c = 0; c < count_; c += 2) {
      const std::int8_t* left = columns_[c].q + first;
      const std::int8_t* right = columns_[std::min(c + 1, count_ - 1)].q + first;
      int32x4_t sums[kPairs];
      std::copy_n(squares_[c / 2], kPairs, sums);
      for (std::uint32_t s = 0; s < kSteps; ++s) {
        const int8x16_t both = vcombine_s8(vld1_s8(left + 8 * s), vld1_s8(right + 8 * s));
        for (std::uint32_t i = 0; i < kPairs; ++i) {
          sums[i] = vusmmlaq_s32(sums[i], pairs[s][i], both);
        }
      }
      std::copy_n(sums, kPairs, squares_[c / 2]);
    }
  }

  void store(std::int32_t* sums) const noexcept {
    for (std::uint32_t c = 0; c < count_; ++c) {
      const int32x4_t* squares = squares_[c / 2];
      for (std::uint32_t i = 0; i < kPairs / 2; ++i) {
        // A square is row 0 with both columns, then row 1.
        const int32x4_t four = c % 2 == 0 ? vuzp1q_s32(squares[2 * i], squares[2 * i + 1])
                                          : vuzp2q_s32(squares[2 * i], squares[2 * i + 1]);
        vst1q_s32(sums + kLanes * c + 4 * i, four);
      }
    }
  }

 private:
  static constexpr std::uint32_t kPairs = kLanes / 2;  ///< of rows

  const QuantisedVector* columns_;
  std::uint32_t count_;
  int32x4_t squares_[(kMost + 1) / 2][kPairs];
};

}  // namespace ds4::fast
