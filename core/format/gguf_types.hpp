#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "format/dtype.hpp"

namespace ds4 {

/// Types of metadata values, with their ids in the file.
enum class GgufType : std::uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};

/// "u32", "array"; "unknown" for an id outside the enumeration.
[[nodiscard]] std::string_view gguf_type_name(GgufType type) noexcept;

/// One key of the metadata table, as a view into the file.
struct GgufEntry {
  std::string_view key;
  GgufType type = GgufType::u8;
  GgufType element = GgufType::u8;   ///< element type of an array
  std::uint64_t count = 1;           ///< elements of an array, else 1
  std::span<const std::byte> value;  ///< scalar or elements as stored; a string without its length
  std::uint64_t offset = 0;          ///< of `value` from the start of the file
};

/// One tensor of the directory.
struct TensorInfo {
  std::string_view name;
  std::uint32_t rank = 1;                         ///< 1 to 4
  std::array<std::uint64_t, 4> dims{1, 1, 1, 1};  ///< dims[0] is contiguous; unused ones are 1
  Dtype dtype = Dtype::f32;                       ///< may be an id that find_traits() does not know
  std::uint64_t offset = 0;                       ///< absolute, from the start of the file
  std::uint64_t bytes = 0;                        ///< 0 when the type is unknown

  [[nodiscard]] std::uint64_t rows() const noexcept { return dims[1] * dims[2] * dims[3]; }
  [[nodiscard]] std::uint64_t elements() const noexcept { return dims[0] * rows(); }
  /// Bytes of one row of dims[0] elements.
  [[nodiscard]] std::uint64_t row_bytes() const noexcept { return bytes / rows(); }
};

}  // namespace ds4
