/// Tile registers: eight of up to sixteen rows of 64 bytes, and the product of signed with unsigned
/// bytes, summed in 32 bits (AMX-INT8). What each does is Intel's manual, volume 2, "tile".
///
///     TilesInUse(shapes)          gives this thread's tiles their shapes, zeroed; its end gives
///                                 them back: the thread belongs to the host
///     zero_tile<T>()
///     load_tile<T>(p, stride)     the tile's rows from p, p + stride, ...; the rest becomes 0
///     multiply_tiles<C, A, B>()   C[m][n] += sum over k of A[m][k] * B[k / 4][4 n + k % 4]:
///                                 A signed, B unsigned, C 32-bit integers, exact
///     store_tile<T>(p, stride)    the tile's rows to p, p + stride, ...
///
/// Plain code stands in where a test is to run what is built on tiles on any processor; it traps
/// where the processor would fault.
#pragma once

#if defined(DS4_PLAIN_TILES)
#include "tile_product_plain.hpp"
#else
#include "tile_product_amx.hpp"
#endif
