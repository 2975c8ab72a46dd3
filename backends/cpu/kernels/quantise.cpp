#include "quantise.hpp"

#include <cstring>

#include "../isa/bytes.hpp"

namespace ds4::fast {
namespace {

/// Largest magnitude of n values (a multiple of 32); NaN if any is NaN or infinite.
float largest(const float* x, std::uint32_t n) noexcept {
  F32 highest = zero();
  F32 unsound = zero();
  for (std::uint32_t i = 0; i < n; i += kLanes) {
    const F32 v = load(x + i);
    highest = greatest(greatest(v, zero() - v), highest);
    unsound = fma(v, zero(), unsound);
  }
  return greatest_lane(highest) + sum(unsound);
}

/// q of one block, and the sums of each sixteen.
void round_block(const float* x, std::uint32_t n, float inverse, std::int8_t* q,
                 std::int32_t* sixteens) noexcept {
  for (std::uint32_t i = 0; i < n; i += kLanes) {
    // Within +-127 but for a rounding of the quotient; the bound also gives NaN a value.
    const F32 whole =
        greatest(all(-127.0F), least(nearest(load(x + i) * all(inverse)), all(127.0F)));
    sixteens[i / kLanes] = store_rounded(q + i, whole);
  }
}

/// Thirty-two values as four rows of eight become eight rows of four.
void turn(std::int8_t* q) noexcept {
  std::int8_t rows[32];
  std::memcpy(rows, q, sizeof rows);
  for (std::uint32_t k = 0; k < 8; ++k) {
    for (std::uint32_t f = 0; f < 4; ++f) q[4 * k + f] = rows[8 * f + k];
  }
}

}  // namespace

void quantise(const float* x, std::uint32_t width, Quantum quantum, std::byte* record) noexcept {
  const QuantisedLayout at(width);
  auto* q = reinterpret_cast<std::int8_t*>(record);
  auto* d = reinterpret_cast<float*>(record + at.d);
  auto* starts = reinterpret_cast<std::int32_t*>(record + at.start);
  auto* low = reinterpret_cast<std::int8_t*>(record + at.low);
  auto* high = reinterpret_cast<std::int8_t*>(record + at.high);
  const std::uint32_t block = quantum == Quantum::of_32 ? 32 : 256;
  for (std::uint32_t b = 0; b * block < width; ++b) {
    const float* values = x + std::uint64_t{b} * block;
    const float most = largest(values, block);
    d[b] = most / 127.0F;
    std::int32_t sixteens[16];
    round_block(values, block, most > 0 ? 127.0F / most : 0.0F, q + std::uint64_t{b} * block,
                sixteens);
    for (std::uint32_t k = 0; k < block / 32; ++k) {
      starts[b * (block / 32) + k] = -offset_of(quantum) * (sixteens[2 * k] + sixteens[2 * k + 1]);
    }
    if (quantum == Quantum::of_256_turned) {
      for (std::uint32_t k = 0; k < 8; ++k) turn(q + std::uint64_t{b} * block + 32 * k);
    }
    if (quantum != Quantum::of_256) continue;
    for (std::uint32_t k = 0; k < 16; ++k) {
      // |sum| <= 2032: high is within +-32, low within -32 .. 31.
      const std::int32_t upper = (sixteens[k] + 2080) / 64 - 32;
      high[16 * b + k] = static_cast<std::int8_t>(upper);
      low[16 * b + k] = static_cast<std::int8_t>(sixteens[k] - 64 * upper);
    }
  }
}

}  // namespace ds4::fast
