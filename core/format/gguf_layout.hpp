#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

#include "format/gguf_types.hpp"

/// Constants of the container that reader and writer share.
namespace ds4 {

inline constexpr std::uint32_t kGgufMagic = 0x46554747;  // "GGUF"
inline constexpr std::uint32_t kGgufVersion = 3;
inline constexpr std::uint64_t kGgufHeadBytes = 24;
inline constexpr std::string_view kAlignmentKey = "general.alignment";

/// Bytes of a scalar in the file; 0 for strings and arrays.
[[nodiscard]] constexpr std::uint64_t gguf_scalar_bytes(GgufType type) noexcept {
  switch (type) {
    case GgufType::u8:
    case GgufType::i8:
    case GgufType::boolean:
      return 1;
    case GgufType::u16:
    case GgufType::i16:
      return 2;
    case GgufType::u32:
    case GgufType::i32:
    case GgufType::f32:
      return 4;
    case GgufType::u64:
    case GgufType::i64:
    case GgufType::f64:
      return 8;
    case GgufType::string:
    case GgufType::array:
      return 0;
  }
  return 0;
}

[[nodiscard]] constexpr bool is_gguf_alignment(std::uint32_t value) noexcept {
  return std::has_single_bit(value) && value >= 8 && value <= 65536;
}

}  // namespace ds4
