#pragma once

#include <cstdint>
#include <string_view>

#include "model/counter_rng.hpp"

namespace ds4::conformance {

/// A stream of numbers that is a pure function of (seed, case label).
class Random {
 public:
  Random(std::uint64_t seed, std::string_view label) noexcept
      : key_(splitmix64(seed ^ fnv1a64(label))) {}

  std::uint64_t bits() noexcept { return splitmix64(key_ + ++counter_); }
  /// In [0, n).
  std::uint32_t below(std::uint32_t n) noexcept { return static_cast<std::uint32_t>(bits() % n); }
  /// In [-1, 1).
  double uniform() noexcept { return static_cast<double>(bits() >> 11) * 0x1p-52 - 1; }
  /// Mean 0, deviation 1, within +-3.5: a sum of four uniform numbers.
  double normal() noexcept {
    return (uniform() + uniform() + uniform() + uniform()) * 0.8660254037844386;
  }

 private:
  std::uint64_t key_;
  std::uint64_t counter_ = 0;
};

}  // namespace ds4::conformance
