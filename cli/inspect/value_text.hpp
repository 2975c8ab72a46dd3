#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>

#include "common/json_writer.hpp"
#include "format/gguf_types.hpp"

namespace ds4::inspect {

inline constexpr std::size_t kWhole = std::numeric_limits<std::size_t>::max();

/// A metadata value in one line: strings in quotes, arrays in brackets. At most `most` elements and
/// bytes of a string are shown; what is left out is counted.
[[nodiscard]] std::string value_text(const GgufEntry& entry, std::size_t most);
/// The same as a JSON value; an array that is cut short ends there.
void value_json(cli::JsonWriter& json, const GgufEntry& entry, std::size_t most);

/// "u32", "array of string".
[[nodiscard]] std::string type_text(const GgufEntry& entry);
/// "Q8_0", "type 77".
[[nodiscard]] std::string dtype_text(Dtype dtype);
/// "[4096, 129280]".
[[nodiscard]] std::string dims_text(const TensorInfo& tensor);
/// True when `name` matches the glob, or there is none.
[[nodiscard]] bool matches(std::string_view name, const std::string& glob);

}  // namespace ds4::inspect
