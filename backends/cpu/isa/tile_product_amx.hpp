/// The tiles of tile_product.hpp with AMX.
///
/// Written as instructions: g++ 12 does not tell its optimiser that its own forms of LDTILECFG and
/// TILELOADD read memory, so that what was just written could come too late.
#pragma once

#include <cstddef>

#include "tile_shapes.hpp"

namespace ds4::fast {

class TilesInUse {
 public:
  explicit TilesInUse(const TileShapes& shapes) noexcept {
    __asm__ volatile("ldtilecfg %0" ::"m"(shapes) : "memory");
  }
  ~TilesInUse() { __asm__ volatile("tilerelease" ::: "memory"); }
  TilesInUse(const TilesInUse&) = delete;
  TilesInUse& operator=(const TilesInUse&) = delete;
};

template <int Tile>
inline void zero_tile() noexcept {
  __asm__ volatile("tilezero %%tmm%c0" ::"i"(Tile) : "memory");
}
template <int Tile>
inline void load_tile(const void* p, std::ptrdiff_t stride) noexcept {
  __asm__ volatile("tileloadd (%1,%2,1), %%tmm%c0" ::"i"(Tile), "r"(p), "r"(stride) : "memory");
}
template <int C, int A, int B>
inline void multiply_tiles() noexcept {
  // The destination stands last, the unsigned operand first.
  __asm__ volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(C), "i"(A), "i"(B) : "memory");
}
template <int Tile>
inline void store_tile(void* p, std::ptrdiff_t stride) noexcept {
  __asm__ volatile("tilestored %%tmm%c0, (%1,%2,1)" ::"i"(Tile), "r"(p), "r"(stride) : "memory");
}

}  // namespace ds4::fast
