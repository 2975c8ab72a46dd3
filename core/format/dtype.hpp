#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace ds4 {

/// Element types with the ids that a GGUF directory uses. Ids that are listed but not loadable
/// exist so that a file that uses them is refused by name.
enum class Dtype : std::uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q8_1 = 9,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  q8_k = 15,
  iq2_xxs = 16,
  iq2_xs = 17,
  iq3_xxs = 18,
  iq1_s = 19,
  iq4_nl = 20,
  iq3_s = 21,
  iq2_s = 22,
  iq4_xs = 23,
  i8 = 24,
  i16 = 25,
  i32 = 26,
  i64 = 27,
  f64 = 28,
  iq1_m = 29,
  bf16 = 30,
  tq1_0 = 34,
  tq2_0 = 35,
  mxfp4 = 39,
  nvfp4 = 40,
};

/// How a type is laid out: a row is a sequence of blocks of `block_elements` in `block_bytes`.
struct DtypeTraits {
  Dtype id;
  std::string_view name;         ///< as people write it: "Q4_K"
  std::uint32_t block_elements;  ///< 1 for plain types, else 32 or 256 (64 for NVFP4)
  std::uint32_t block_bytes;
  bool is_loadable;  ///< a decoder exists and a model may use the type
};

/// The traits of a type, or null for an id that no known GGUF uses.
[[nodiscard]] const DtypeTraits* find_traits(Dtype dtype) noexcept;

/// "Q4_K", or "type 99" style text for an unknown id is left to the caller: gives "unknown".
[[nodiscard]] std::string_view dtype_name(Dtype dtype) noexcept;

/// True for the types that dequantize_row() decodes, and I32.
[[nodiscard]] bool is_loadable(Dtype dtype) noexcept;

/// The type written as `name`, in any letter case.
/// Errors: invalid_argument, listing the loadable names.
[[nodiscard]] Result<Dtype> parse_dtype(std::string_view name);

/// Bytes of one row of `elements`.
/// Errors: invalid_argument for an unknown type, for elements that are not whole blocks and for a
/// size beyond 64 bits.
[[nodiscard]] Result<std::uint64_t> row_bytes(Dtype dtype, std::uint64_t elements);

}  // namespace ds4
