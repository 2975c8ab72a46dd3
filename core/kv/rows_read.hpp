#pragma once

#include <cstdint>

#include "model/config.hpp"
#include "plan/plan.hpp"

namespace ds4 {

/// Bytes of stored rows that decoding the token at the end of `context` tokens reads: the window in
/// every layer; of sparse layers all index rows and the chosen
/// compressed rows; of fully compressed layers all compressed rows. Source: performance.md 1.3.
[[nodiscard]] std::uint64_t rows_read_bytes(const ModelConfig& config, const Roundings& roundings,
                                            std::uint32_t context);

}  // namespace ds4
