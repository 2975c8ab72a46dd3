/// Activations rounded to eight bits, once for all products that take them (model.md 7.9).
///
/// A block of 32 or 256 values has one scale d = max |x| / 127, kept in f32, and q = x / d rounded
/// to nearest even; a block of zeros has d = 0. What follows from q alone is kept beside it: what
/// weights stored with an offset and the minima of K formats need. A NaN or infinity makes its
/// block's scale NaN.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu-common/context.hpp"

namespace ds4::fast {

/// How a weight's format wants its activations.
enum class Quantum {
  none,          ///< f32
  of_32,         ///< Q8_0
  of_256,        ///< Q2_K, and IQ2_XXS where kIq2Quantum says so
  of_256_turned  ///< the same, value 8 f + k of each 32 at place 4 k + f: see iq2_xxs_decode.hpp
};

/// What IQ2_XXS takes at this level.
#if defined(__AVX512VBMI__) && defined(__GFNI__)
inline constexpr Quantum kIq2Quantum = Quantum::of_256_turned;
#else
inline constexpr Quantum kIq2Quantum = Quantum::of_256;
#endif

/// The kinds of records that a level makes: of_32 and up. `none` has no kind.
inline constexpr std::uint32_t kRecordKinds = static_cast<std::uint32_t>(kIq2Quantum);
constexpr std::uint32_t kind_of(Quantum quantum) noexcept {
  return static_cast<std::uint32_t>(quantum) - 1;
}
constexpr Quantum quantum_of_kind(std::uint32_t kind) noexcept {
  return static_cast<Quantum>(kind + 1);
}

/// What products have added to weights so that they are unsigned: with Q8_0, with IQ2_XXS.
constexpr std::int32_t offset_of(Quantum quantum) noexcept {
  return quantum == Quantum::of_32 ? 128 : 64;
}

/// One quantised vector: pointers into its record.
struct QuantisedVector {
  const std::int8_t* q;  ///< [width]
  const float* d;        ///< [width / block]
  /// [width / 32]: -offset_of(quantum) times the sum of 32 q, which takes the offset off again.
  const std::int32_t* start;
  const std::int8_t* low;   ///< of_256: [width / 16], see below
  const std::int8_t* high;  ///< the sum of sixteen q is 64 * high + low
};

/// Where the parts of a record lie; records of one width are `bytes` apart: an odd number of cache
/// lines, so that the same place of many records does not fall in a few sets of a cache.
struct QuantisedLayout {
  std::uint64_t d;
  std::uint64_t start;
  std::uint64_t low;
  std::uint64_t high;
  std::uint64_t bytes;

  explicit QuantisedLayout(std::uint64_t width) noexcept
      : d(sdk::round_up(width, 64)),
        start(d + sdk::round_up(width / 32 * 4, 64)),
        low(start + sdk::round_up(width / 32 * 4, 64)),
        high(low + sdk::round_up(width / 16, 64)),
        bytes((high + sdk::round_up(width / 16, 64)) | 64) {}

  [[nodiscard]] QuantisedVector at(const std::byte* record) const noexcept {
    return {reinterpret_cast<const std::int8_t*>(record),
            reinterpret_cast<const float*>(record + d),
            reinterpret_cast<const std::int32_t*>(record + start),
            reinterpret_cast<const std::int8_t*>(record + low),
            reinterpret_cast<const std::int8_t*>(record + high)};
  }
};

/// Fills one record from `width` values, whole blocks.
void quantise(const float* x, std::uint32_t width, Quantum quantum, std::byte* record) noexcept;

}  // namespace ds4::fast
