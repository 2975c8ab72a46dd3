#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "base/result.hpp"
#include "format/gguf_reader.hpp"

namespace ds4::inspect {

/// Bytes of one piece of read_through(): far above what a call costs, far below what memory holds.
inline constexpr std::uint64_t kPieceBytes = 8ULL << 20;

/// Calls `take` for `bytes` of the file piece by piece and gives the pages of each back, so that a
/// file of any size takes little memory. Stops when `take` returns false.
/// Errors: io when the file changed its size.
Result<void> read_through(const GgufFile& file, std::span<const std::byte> bytes,
                          const std::function<bool(std::span<const std::byte>)>& take);

}  // namespace ds4::inspect
