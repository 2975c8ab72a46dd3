#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace ds4 {

/// splitmix64: adds 0x9E3779B97F4A7C15, then x = (x ^ x>>30) * 0xBF58476D1CE4E5B9,
/// x = (x ^ x>>27) * 0x94D049BB133111EB, result x ^ x>>31; all modulo 2^64.
[[nodiscard]] constexpr std::uint64_t splitmix64(std::uint64_t x) noexcept {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

/// 64-bit FNV-1a over the bytes of `text`.
[[nodiscard]] constexpr std::uint64_t fnv1a64(std::string_view text) noexcept {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  }
  return hash;
}

/// The counter-based generator of synthetic weights: each value is a pure function of (seed, tensor
/// name, element index), so tests/oracle/counter_rng.py reproduces it bit for bit and any slice of
/// a tensor can be made without the rest.
///
///   key        splitmix64(seed ^ fnv1a64(name))
///   raw(i)     splitmix64(key + i * 0x9E3779B97F4A7C15)
///   normal(i)  (a + b + c + d - 131070) / 37837.2, a..d the four 16-bit fields of raw(i): an
///              Irwin-Hall sum of mean 0 and deviation 1 within +-3.4642; one division, in double
///   value(i)   (float)(offset + scale * normal(i)), product and sum each rounded to double
///
/// Element i is the flat index in file order (dims[0] fastest).
class CounterRng {
 public:
  CounterRng(std::uint64_t seed, std::string_view name) noexcept
      : key_(splitmix64(seed ^ fnv1a64(name))) {}

  [[nodiscard]] std::uint64_t key() const noexcept { return key_; }
  [[nodiscard]] std::uint64_t raw(std::uint64_t index) const noexcept {
    return splitmix64(key_ + index * 0x9E3779B97F4A7C15ULL);
  }
  [[nodiscard]] double normal(std::uint64_t index) const noexcept;

  /// out[k] = value(begin + k).
  void fill(std::span<float> out, std::uint64_t begin, double scale, double offset) const noexcept;

  /// Row `row` of a table of out.size() distinct ids below `experts` (>= out.size()): a partial
  /// Fisher-Yates shuffle of 0..experts-1; draw j takes raw(row * out.size() + j) modulo
  /// (experts - j) and swaps the drawn slot with slot experts - 1 - j.
  void distinct_ids(std::span<std::int32_t> out, std::uint64_t row, std::uint32_t experts) const;

 private:
  std::uint64_t key_;
};

}  // namespace ds4
