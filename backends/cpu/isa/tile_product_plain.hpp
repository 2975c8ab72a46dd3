/// The tiles of tile_product.hpp in plain code, for tests: a thread's registers are an object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tile_shapes.hpp"

namespace ds4::fast {

struct PlainTiles {
  bool are_configured = false;
  TileShapes shapes;
  std::byte bytes[8][16][64];

  void need(bool condition) const noexcept {
    if (!condition) __builtin_trap();
  }
  void need_tile(int tile) const noexcept { need(are_configured && shapes.rows[tile] != 0); }
};
inline thread_local PlainTiles plain_tiles;

class TilesInUse {
 public:
  explicit TilesInUse(const TileShapes& shapes) noexcept {
    PlainTiles& tiles = plain_tiles;
    tiles.need(shapes.palette == 1 && shapes.start_row == 0);
    for (int i = 0; i < 16; ++i) {
      tiles.need(shapes.rows[i] <= 16 && shapes.row_bytes[i] <= 64);
      tiles.need((shapes.rows[i] == 0) == (shapes.row_bytes[i] == 0));
      tiles.need(i < 8 || shapes.rows[i] == 0);
    }
    tiles.shapes = shapes;
    tiles.are_configured = true;
    std::memset(tiles.bytes, 0, sizeof tiles.bytes);
  }
  ~TilesInUse() { plain_tiles.are_configured = false; }
  TilesInUse(const TilesInUse&) = delete;
  TilesInUse& operator=(const TilesInUse&) = delete;
};

template <int Tile>
inline void zero_tile() noexcept {
  plain_tiles.need_tile(Tile);
  std::memset(plain_tiles.bytes[Tile], 0, sizeof plain_tiles.bytes[Tile]);
}

template <int Tile>
inline void load_tile(const void* p, std::ptrdiff_t stride) noexcept {
  zero_tile<Tile>();
  PlainTiles& tiles = plain_tiles;
  for (std::uint32_t r = 0; r < tiles.shapes.rows[Tile]; ++r) {
    std::memcpy(tiles.bytes[Tile][r], static_cast<const std::byte*>(p) + r * stride,
                tiles.shapes.row_bytes[Tile]);
  }
}

template <int C, int A, int B>
inline void multiply_tiles() noexcept {
  static_assert(C != A && A != B && B != C);
  PlainTiles& tiles = plain_tiles;
  const TileShapes& shapes = tiles.shapes;
  tiles.need_tile(C);
  tiles.need_tile(A);
  tiles.need_tile(B);
  tiles.need(shapes.rows[C] == shapes.rows[A] && shapes.row_bytes[C] == shapes.row_bytes[B]);
  tiles.need(shapes.row_bytes[A] == 4 * shapes.rows[B] && shapes.row_bytes[C] % 4 == 0);
  for (std::uint32_t m = 0; m < shapes.rows[C]; ++m) {
    for (std::uint32_t n = 0; n < shapes.row_bytes[C] / 4u; ++n) {
      std::int32_t sum;
      std::memcpy(&sum, &tiles.bytes[C][m][4 * n], 4);
      for (std::uint32_t k = 0; k < shapes.row_bytes[A]; ++k) {
        sum += static_cast<std::int8_t>(tiles.bytes[A][m][k]) *
               static_cast<std::uint8_t>(tiles.bytes[B][k / 4][4 * n + k % 4]);
      }
      std::memcpy(&tiles.bytes[C][m][4 * n], &sum, 4);
    }
  }
}

template <int Tile>
inline void store_tile(void* p, std::ptrdiff_t stride) noexcept {
  const PlainTiles& tiles = plain_tiles;
  tiles.need_tile(Tile);
  for (std::uint32_t r = 0; r < tiles.shapes.rows[Tile]; ++r) {
    std::memcpy(static_cast<std::byte*>(p) + r * stride, tiles.bytes[Tile][r],
                tiles.shapes.row_bytes[Tile]);
  }
}

}  // namespace ds4::fast
