#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "ds4/ops.h"

namespace ds4 {

/// Tier 1 ops are required of every backend; tier 2 ops may be replaced by their composition.
enum class OpTier : std::uint32_t { required = 1, fused = 2 };

/// What is known of an op without looking into its descriptor.
struct OpTraits {
  std::uint32_t id;           ///< DS4_OP_*
  std::string_view name;      ///< as in file names and messages: "moe_routed"
  OpTier tier;                ///< required or fused
  std::uint32_t struct_size;  ///< full size of its descriptor, bytes
  std::uint32_t flags;        ///< every flag bit that the op knows; others are refused
};

/// All ops of ops.h by ascending id.
[[nodiscard]] std::span<const OpTraits> op_table() noexcept;

/// The traits of an op, or null for an id that ops.h does not have.
[[nodiscard]] const OpTraits* find_op(std::uint32_t id) noexcept;

/// "moe_routed"; "unknown" for an id that ops.h does not have.
[[nodiscard]] std::string_view op_name(std::uint32_t id) noexcept;

/// "f32", "kv_row": a dtype of the ABI as messages and tables print it; "unknown" otherwise.
[[nodiscard]] std::string_view view_dtype_name(std::uint32_t dtype) noexcept;

}  // namespace ds4
