#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "format/dtype.hpp"

namespace ds4::synthetic {

/// Valid random blocks of an element type, drawn as bytes instead of being encoded from values: at
/// true shape an encoder that searches would take days, this takes as long as a copy.
///
/// Block b of a tensor is a pure function of (key, b): words raw(b * n + j) of CounterRng for the n
/// words that a block of its type takes, with the scale fields set so that decoded values are
/// finite, have mean 0 and about the deviation asked for. Scales differ from block to block by up
/// to 30 %, and every field that a decoder reads takes all its values. Plain types have blocks of
/// four values from a table of normal values.
///
/// Thread   immutable.
class BlockMaker {
 public:
  /// Errors: invalid_argument for I32 and types without a decoder.
  static Result<BlockMaker> make(Dtype dtype, double deviation);

  /// Elements and bytes of one block.
  [[nodiscard]] std::uint32_t elements() const noexcept { return elements_; }
  [[nodiscard]] std::uint32_t bytes() const noexcept { return bytes_; }

  /// Writes blocks first .. first + count - 1, count * bytes() bytes. `key` is CounterRng::key().
  void fill(std::uint64_t key, std::uint64_t first, std::uint64_t count,
            std::byte* out) const noexcept;

 private:
  BlockMaker() = default;

  Dtype dtype_ = Dtype::f32;
  std::uint32_t elements_ = 4;
  std::uint32_t bytes_ = 16;
  std::array<std::uint16_t, 16> scales_{};  ///< halves; field d of a block
  std::array<std::uint16_t, 16> mins_{};    ///< halves; field dmin, where there is one
  std::uint8_t exponent_ = 0;               ///< MXFP4: the smaller of two
  std::vector<std::uint32_t> values_;  ///< plain types: bit patterns, indexed by 12 random bits
};

}  // namespace ds4::synthetic
