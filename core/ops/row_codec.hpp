#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ds4/backend.h"

namespace ds4 {

/// Decodes one row of a view's dtype (F32, F16, BF16, KV_ROW, INDEX_ROW) as backend.h lays it out;
/// written apart from every backend, so that a wrong layout shows.
std::vector<float> decode_view_row(std::uint32_t dtype, std::uint32_t width, std::uint32_t row_tail,
                                   const std::byte* row);

}  // namespace ds4
