/// Sums in double whose order depends on the length alone.
#pragma once

#include <cstdint>

namespace ds4::reference {

/// Eight running sums, element i going to sum i mod 8, folded in one fixed tree at the end.
template <class A, class B>
double dot(const A* a, const B* b, std::uint64_t n) noexcept {
  double s[8] = {};
  const std::uint64_t whole = n & ~std::uint64_t{7};
  for (std::uint64_t i = 0; i < whole; i += 8) {
    for (std::uint64_t j = 0; j < 8; ++j) {
      s[j] += static_cast<double>(a[i + j]) * static_cast<double>(b[i + j]);
    }
  }
  for (std::uint64_t i = whole; i < n; ++i) {
    s[i - whole] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  }
  return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

template <class A>
double square_sum(const A* a, std::uint64_t n) noexcept {
  return dot(a, a, n);
}

}  // namespace ds4::reference
