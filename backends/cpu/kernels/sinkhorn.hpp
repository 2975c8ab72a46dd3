/// The Sinkhorn iteration of model.md 3.2 on one small matrix.
///
/// In double: 20 rounds over 16 values are nothing beside the projection before them, and the gates
/// scale everything that follows.
#pragma once

#include <cmath>
#include <cstdint>

namespace ds4::fast {

inline constexpr std::uint32_t kMostStreams = 16;

/// In place, row-major [n, n] (source, destination): row softmax plus eps, then columns, then
/// `iterations` - 1 times rows and columns.
inline void sinkhorn(double* m, std::uint32_t n, std::uint32_t iterations, double eps) noexcept {
  double factor[kMostStreams];
  for (std::uint32_t j = 0; j < n; ++j) {
    double* row = m + std::uint64_t{j} * n;
    double highest = row[0];
    for (std::uint32_t k = 1; k < n; ++k) highest = row[k] > highest ? row[k] : highest;
    double total = 0;
    for (std::uint32_t k = 0; k < n; ++k) total += row[k] = std::exp(row[k] - highest);
    for (std::uint32_t k = 0; k < n; ++k) row[k] = row[k] / total + eps;
  }
  for (std::uint32_t round = 0; round < iterations; ++round) {
    if (round != 0) {
      for (std::uint32_t j = 0; j < n; ++j) {
        double* row = m + std::uint64_t{j} * n;
        double total = eps;
        for (std::uint32_t k = 0; k < n; ++k) total += row[k];
        for (std::uint32_t k = 0; k < n; ++k) row[k] /= total;
      }
    }
    for (std::uint32_t k = 0; k < n; ++k) factor[k] = eps;
    for (std::uint32_t j = 0; j < n; ++j) {
      for (std::uint32_t k = 0; k < n; ++k) factor[k] += m[std::uint64_t{j} * n + k];
    }
    for (std::uint32_t j = 0; j < n; ++j) {
      for (std::uint32_t k = 0; k < n; ++k) m[std::uint64_t{j} * n + k] /= factor[k];
    }
  }
}

}  // namespace ds4::fast
