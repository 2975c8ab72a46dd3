/// What the bands of all formats do alike.
#pragma once

#include <utility>

#include "bands.hpp"

namespace ds4::fast {

/// Integer sums of a band's rows and N columns.
template <std::uint32_t N>
struct BandSums {
  I32 of[kBandTiles][N];
};

/// Calls body.operator()<N>(first) for each N columns that meet the band at a time: as few times as
/// registers allow, of about as many each, since few columns wait for their sums.
template <class Body>
inline void each_columns(std::uint32_t count, Body&& body) noexcept {
  const std::uint32_t times = (count + kBandColumns - 1) / kBandColumns;
  const std::uint32_t columns = (count + times - 1) / times;
  for (std::uint32_t first = 0; first < count; first += columns) {
    with_count<kBandColumns>(std::min(columns, count - first),
                             [&]<std::uint32_t N>() { body.template operator()<N>(first); });
  }
}

/// A value that a record holds at a place.
template <class T>
inline T value_at(const std::byte* record, std::uint64_t place) noexcept {
  T value;
  std::memcpy(&value, record + place, sizeof value);
  return value;
}

/// Sums that begin with what each record holds at `place`.
template <std::uint32_t N>
inline BandSums<N> begin_sums(const std::byte* const* records, std::uint64_t place) noexcept {
  BandSums<N> sums;
  for (std::uint32_t c = 0; c < N; ++c) {
    const I32 start = all_int(value_at<std::int32_t>(records[c], place));
    for (std::uint32_t t = 0; t < kBandTiles; ++t) sums.of[t][c] = start;
  }
  return sums;
}

template <std::uint32_t N>
inline BandSums<N> no_sums() noexcept {
  BandSums<N> sums;
  for (auto& tile : sums.of) {
    for (I32& sum : tile) sum = all_int(0);
  }
  return sums;
}

/// Adds four values of every column.
template <std::uint32_t N, class Dot>
inline void add_four(BandSums<N>& sums, const std::byte* weights, std::uint64_t tile_bytes,
                     const std::byte* const* records, std::uint64_t place, Dot&& dot) noexcept {
  Bytes64 w[kBandTiles];
  for (std::uint32_t t = 0; t < kBandTiles; ++t) w[t] = held(load_bytes(weights + t * tile_bytes));
  for (std::uint32_t c = 0; c < N; ++c) {
    const auto* four = reinterpret_cast<const std::int8_t*>(records[c] + place);
    for (std::uint32_t t = 0; t < kBandTiles; ++t) sums.of[t][c] = dot(sums.of[t][c], w[t], four);
  }
}

/// Adds 4 * Fours values of every column, from `place` of its record on: dot is dot4 or
/// dot4_signed, and the weights of tile t begin at weights + t * tile_bytes.
template <std::uint32_t Fours, std::uint32_t N, class Dot>
inline void add_fours(BandSums<N>& sums, const std::byte* weights, std::uint64_t tile_bytes,
                      const std::byte* const* records, std::uint64_t place, Dot&& dot) noexcept {
  // Written out: a compiler that keeps the loop moves all sums from register to register in it.
  [&]<std::uint32_t... G>(std::integer_sequence<std::uint32_t, G...>) {
    (add_four<N>(sums, weights + 64 * std::uint64_t{G}, tile_bytes, records, place + 4 * G, dot),
     ...);
  }
  (std::make_integer_sequence<std::uint32_t, Fours>());
}

}  // namespace ds4::fast
