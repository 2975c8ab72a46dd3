#include "model/counter_rng.hpp"

#include <numeric>
#include <utility>
#include <vector>

namespace ds4 {

// This file is compiled without floating-point contraction: a fused multiply-add would round once
// where the definition (and numpy) round twice.

double CounterRng::normal(std::uint64_t index) const noexcept {
  const std::uint64_t bits = raw(index);
  const auto sum = static_cast<std::int64_t>((bits & 0xFFFF) + ((bits >> 16) & 0xFFFF) +
                                             ((bits >> 32) & 0xFFFF) + (bits >> 48));
  return static_cast<double>(sum - 131070) / 37837.2;
}

void CounterRng::fill(std::span<float> out, std::uint64_t begin, double scale,
                      double offset) const noexcept {
  for (std::size_t k = 0; k < out.size(); ++k) {
    const double product = scale * normal(begin + k);
    out[k] = static_cast<float>(offset + product);
  }
}

void CounterRng::distinct_ids(std::span<std::int32_t> out, std::uint64_t row,
                              std::uint32_t experts) const {
  std::vector<std::int32_t> ids(experts);
  std::iota(ids.begin(), ids.end(), 0);
  for (std::size_t j = 0; j < out.size(); ++j) {
    const std::uint64_t left = experts - j;
    const std::uint64_t pick = raw(row * out.size() + j) % left;
    out[j] = ids[pick];
    std::swap(ids[pick], ids[left - 1]);
  }
}

}  // namespace ds4
