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

/// How the columns of a band are cut.
struct Parts {
  std::uint32_t count;
  std::uint32_t columns;  ///< of each but the last

  explicit Parts(std::uint32_t all) noexcept
      : count((all + kBandColumns - 1) / kBandColumns), columns((all + count - 1) / count) {}
};

/// Calls body.operator()<N>(first, part) for each N columns that meet the band at a time: as few
/// parts as registers allow, all of about the same size, since few columns wait for their sums.
template <class Body>
inline void each_columns(std::uint32_t count, const Parts& parts, Body&& body) noexcept {
  for (std::uint32_t part = 0, first = 0; first < count; ++part, first += parts.columns) {
    with_count<kBandColumns>(std::min(parts.columns, count - first), [&]<std::uint32_t N>() {
      body.template operator()<N>(first, part);
    });
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
  }(std::make_integer_sequence<std::uint32_t, Fours>());
}

/// Asks for part `part` of `parts` of the bytes that come next in every tile: the columns of a run
/// share this out, so that no more is asked for at a time than is under way at once.
inline void prefetch_part(const std::byte* next, std::uint64_t tile_bytes, std::uint32_t bytes,
                          std::uint32_t part, const Parts& parts) noexcept {
  const std::uint32_t lines = (bytes + 63) / 64;
  const std::uint32_t share = (lines + parts.count - 1) / parts.count;
  for (std::uint32_t line = share * part; line < std::min(share * (part + 1), lines); ++line) {
    for (std::uint32_t t = 0; t < kBandTiles; ++t) {
      prefetch(next + t * tile_bytes + 64 * std::uint64_t{line});
    }
  }
}

}  // namespace ds4::fast
