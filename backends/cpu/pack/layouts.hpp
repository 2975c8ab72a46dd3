/// Packed layouts of weights: tiles of sixteen rows in which the values that one instruction takes
/// lie together. A tile has as many bytes as its rows have in the source, and unpacks to them.
///
/// d, q, ... are the fields of the source's blocks (model.md 7); a *lane* is a row of the tile.
///  Q8_0     two blocks at a time (an odd last one alone): d of sixteen lanes for each block; then
///           for each block 8 x 64 bytes: four values of each lane, plus 128.
///  F16      value k of sixteen lanes, k ascending.
///  Q2_K     for each block: d of sixteen lanes, dmin of sixteen; 4 x 64 bytes: the scales of four
///           groups of each lane; 16 x 64 bytes: four bytes of qs of each lane.
///  IQ2_XXS  two blocks at a time (an odd last one alone): d of sixteen lanes for each; then for
///           each block 8 x 128 bytes: the four grid indices of each lane, the word of each lane.
#pragma once

#include "cpu-common/objects.hpp"

namespace ds4::fast {

/// The layout for a weight of this role and type; null: it stays as the source has it.
const cpu::WeightLayout* layout_of(const ds4_weight_desc& desc) noexcept;

/// Changes when any layout does.
inline constexpr const char* kLayoutFingerprint = "cpu/tiles-of-16/1";

}  // namespace ds4::fast
