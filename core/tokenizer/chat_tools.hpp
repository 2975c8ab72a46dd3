#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "tokenizer/json_text.hpp"

namespace ds4 {

/// A tool that the model may call: its schema line is ready to be rendered.
struct ToolDefinition {
  std::string name;
  std::string schema_line;
};

/// True for [A-Za-z0-9_.:/-]{1,128}.
[[nodiscard]] bool is_tool_name(std::string_view name) noexcept;

/// Tool definitions from the `function` objects of a request, in order.
///
/// A missing `parameters` becomes an empty object schema; a repeated name keeps its first position
/// and its last definition. Errors: invalid_argument (no object, no valid name).
Result<std::vector<ToolDefinition>> make_tools(std::span<const JsonValue> functions);

/// One argument of a call as it is rendered.
struct ToolArgument {
  std::string name;
  std::string value;
  bool is_string = false;  ///< raw text, else JSON text
};

/// The arguments of a call from its JSON text; closing tags inside values are defused. Text that is
/// no JSON object, or has a key that cannot be written in a tag, is one string called "arguments".
[[nodiscard]] std::vector<ToolArgument> tool_arguments(std::string_view json,
                                                       std::string_view dsml);

}  // namespace ds4
