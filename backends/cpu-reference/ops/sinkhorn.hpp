/// The Sinkhorn iteration of model.md 3.2 on one small matrix.
#pragma once

#include "common.hpp"

namespace ds4::reference {

/// In place, row-major [n, n] (source, destination): row softmax plus eps, columns, then
/// `iterations` - 1 times rows and columns.
inline void sinkhorn(double* m, std::uint32_t n, std::uint32_t iterations, double eps) noexcept {
  for (std::uint32_t j = 0; j < n; ++j) {
    double* row = m + std::uint64_t{j} * n;
    double maximum = row[0];
    for (std::uint32_t k = 1; k < n; ++k) maximum = row[k] > maximum ? row[k] : maximum;
    double sum = 0;
    for (std::uint32_t k = 0; k < n; ++k) sum += row[k] = std::exp(row[k] - maximum);
    for (std::uint32_t k = 0; k < n; ++k) row[k] = row[k] / sum + eps;
  }
  for (std::uint32_t round = 0; round < iterations; ++round) {
    for (std::uint32_t j = 0; j < n && round != 0; ++j) {
      double sum = eps;
      for (std::uint32_t k = 0; k < n; ++k) sum += m[std::uint64_t{j} * n + k];
      for (std::uint32_t k = 0; k < n; ++k) m[std::uint64_t{j} * n + k] /= sum;
    }
    for (std::uint32_t k = 0; k < n; ++k) {
      double sum = eps;
      for (std::uint32_t j = 0; j < n; ++j) sum += m[std::uint64_t{j} * n + k];
      for (std::uint32_t j = 0; j < n; ++j) m[std::uint64_t{j} * n + k] /= sum;
    }
  }
}

}  // namespace ds4::reference
