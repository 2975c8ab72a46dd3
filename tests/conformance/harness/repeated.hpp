#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "format/dtype.hpp"

namespace ds4::conformance {

/// The blocks that a weight of a model's size, or of a type that is slow to encode, is made of: a
/// prime number of them, drawn once and repeated, so that gigabytes need megabytes here and no time
/// to make. Rows are equal only where their distance is a multiple of that number of blocks.
class RepeatedBlocks {
 public:
  /// Blocks of `dtype` with values of mean 0 and about this deviation, and `width` values behind
  /// the last one, which are the first ones again. Those of the latest few calls are kept.
  static Result<std::shared_ptr<const RepeatedBlocks>> make(Dtype dtype, double deviation,
                                                            std::uint32_t width,
                                                            std::uint64_t seed);

  /// `width` values that begin at element `first` of the tensor, a multiple of the block.
  [[nodiscard]] std::span<const float> values(std::uint64_t first, std::uint32_t width) const {
    return std::span(values_).subspan(first % period_, width);
  }
  /// Copies the bytes of the tensor from byte `at` on.
  void copy(std::uint64_t at, std::span<std::byte> out) const noexcept;

 private:
  RepeatedBlocks() = default;
  std::uint64_t period_ = 0;  // values
  std::vector<float> values_;
  std::vector<std::byte> bytes_;
};

}  // namespace ds4::conformance
