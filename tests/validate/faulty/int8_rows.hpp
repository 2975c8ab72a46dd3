/// Activations rounded to int8 before they meet a quantised weight row, as fast backends do it: the
/// faults int8 (rightly) and int8_* (wrongly). Rows of weights are known by their decoded buffer.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "ds4/backend.h"
#include "fault.hpp"

namespace ds4::cpu {

struct Int8Row {
  const float* values = nullptr;
  std::uint32_t block = 0;
};
inline thread_local std::array<Int8Row, 4> int8_rows;  // an op decodes at most three at a time
inline thread_local std::uint32_t int8_next = 0;

inline void forget_int8_rows() noexcept {
  int8_rows = {};
}

inline void note_int8_row(const float* values, std::uint32_t dtype, std::uint32_t block) noexcept {
  if (!announces_int8() && !planted(Planted::int8_unannounced)) return;
  const bool is_half = dtype == DS4_DTYPE_F16 || dtype == DS4_DTYPE_BF16;
  if (is_half && planted(Planted::int8_plain_weights)) block = 32;
  auto* row = std::find_if(int8_rows.begin(), int8_rows.end(),
                           [&](const Int8Row& known) { return known.values == values; });
  if (row == int8_rows.end()) row = &int8_rows[int8_next++ % int8_rows.size()];
  *row = {values, block > 1 ? block : 0};
}

inline std::uint32_t int8_block_of(const float* values) noexcept {
  for (const Int8Row& row : int8_rows) {
    if (row.values == values) return row.block;
  }
  return 0;
}
template <class T>
std::uint32_t int8_block_of(const T*) noexcept {
  return 0;  // no weight: those are decoded to float
}

template <class A, class B>
double int8_dot(const A* a, const B* b, std::uint64_t n, std::uint64_t block) noexcept {
  const bool is_coarse =
      planted(Planted::int8_six_bits) || (block == 256 && planted(Planted::int8_k_bits));
  const double levels = is_coarse ? 31 : 127;
  double sum = 0;
  for (std::uint64_t begin = 0; begin < n; begin += block) {
    const std::uint64_t end = std::min(begin + block, n);
    double largest = 0;
    for (std::uint64_t i = begin; i < end; ++i) {
      largest = std::max(largest, std::fabs(static_cast<double>(a[i])));
    }
    if (largest == 0) continue;
    const double step = largest / levels;
    double part = 0;
    for (std::uint64_t i = begin; i < end; ++i) {
      part += std::nearbyint(static_cast<double>(a[i]) / step) * static_cast<double>(b[i]);
    }
    // The scale of a block that holds -128 to 127.
    sum += part * (planted(Planted::int8_wrong_scale) ? largest / 128 : step);
  }
  return sum;
}

}  // namespace ds4::cpu
