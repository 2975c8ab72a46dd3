#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ds4 {

/// The GPT-2 byte mapping: the code point that stands for a byte in token tables (33..323).
[[nodiscard]] char32_t mapped_code_point(std::uint8_t byte) noexcept;

/// Bytes of a string in the byte mapping; nothing if it holds a code point that maps to no byte.
[[nodiscard]] std::optional<std::string> unmap_bytes(std::string_view mapped);

/// The inverse: bytes written in the byte mapping.
[[nodiscard]] std::string map_bytes(std::string_view bytes);

}  // namespace ds4
