/// The shapes of tile registers, as the processor reads them.
#pragma once

#include <cstdint>

namespace ds4::fast {

/// What LDTILECFG reads. A tile that is not given a shape cannot be used.
struct alignas(64) TileShapes {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};

  void set(int tile, std::uint32_t tile_rows, std::uint32_t bytes) noexcept {
    rows[tile] = static_cast<std::uint8_t>(tile_rows);
    row_bytes[tile] = static_cast<std::uint16_t>(bytes);
  }
};
static_assert(sizeof(TileShapes) == 64);

}  // namespace ds4::fast
