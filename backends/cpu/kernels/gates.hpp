/// The gates of a hyper-connection from its mixes (model.md 3.2).
#pragma once

#include "cpu-common/context.hpp"
#include "sinkhorn.hpp"
#include "sums.hpp"

namespace ds4::fast {

struct Gates {
  const float* scale;  ///< [3]: of pre, post, comb
  const float* base;   ///< [(2 + streams) * streams]
  std::uint32_t streams;
  std::uint32_t iterations;
  double eps;

  /// mixes * factor -> pre [streams], post [streams], row r of comb [rows, streams, streams].
  void split(const float* mixes, double factor, float* pre, float* post, const cpu::Bytes& comb,
             std::uint32_t r) const noexcept {
    const std::uint32_t n = streams;
    const auto mixed = [&](std::uint32_t i, std::uint32_t group) {
      return double{mixes[i]} * factor * double{scale[group]} + double{base[i]};
    };
    for (std::uint32_t s = 0; s < n; ++s) {
      pre[s] = static_cast<float>(logistic(mixed(s, 0)) + eps);
      post[s] = static_cast<float>(2 * logistic(mixed(n + s, 1)));
    }
    double matrix[kMostStreams * kMostStreams];
    for (std::uint32_t i = 0; i < n * n; ++i) matrix[i] = mixed(2 * n + i, 2);
    sinkhorn(matrix, n, iterations, eps);
    for (std::uint32_t i = 0; i < n * n; ++i) {
      cpu::f32(comb.row(r, i / n))[i % n] = static_cast<float>(matrix[i]);
    }
  }
};

}  // namespace ds4::fast
