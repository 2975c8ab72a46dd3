#include "tokenizer/chat_tools.hpp"

#include <algorithm>
#include <unordered_map>

#include "tokenizer/text_edit.hpp"

namespace ds4 {
namespace {

std::vector<ToolArgument> as_one_string(std::string_view text, std::string_view closing) {
  return {{"arguments", replace_all(text, closing, "&lt;" + std::string(closing.substr(1))), true}};
}

bool fits_in_tag(std::string_view key) noexcept {
  return key.find_first_of("\"<>\n") == std::string_view::npos;
}

JsonValue empty_parameters() {
  JsonValue out = JsonValue::make_object();
  out.add("type", JsonValue::make_string("object"));
  out.add("properties", JsonValue::make_object());
  return out;
}

}  // namespace

bool is_tool_name(std::string_view name) noexcept {
  constexpr std::string_view kOthers = "_.:/-";
  return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

Result<std::vector<ToolDefinition>> make_tools(std::span<const JsonValue> functions) {
  std::vector<ToolDefinition> out;
  std::unordered_map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < functions.size(); ++i) {
    const JsonValue* name = functions[i].find("name");
    if (name == nullptr || !name->is(JsonValue::Kind::string) || !is_tool_name(name->text)) {
      return fail(Errc::invalid_argument, "tools[", i,
                  "]: expected an object with a name of 1 to 128 characters out of "
                  "[A-Za-z0-9_.:/-]");
    }
    ToolDefinition tool{name->text, {}};
    if (functions[i].find("parameters") == nullptr) {
      JsonValue function = functions[i];
      function.add("parameters", empty_parameters());
      tool.schema_line = json_text(function);
    } else {
      tool.schema_line = json_text(functions[i]);
    }
    const auto [place, is_new] = places.emplace(tool.name, out.size());
    if (is_new) {
      out.push_back(std::move(tool));
    } else {
      out[place->second] = std::move(tool);
    }
  }
  return out;
}

std::vector<ToolArgument> tool_arguments(std::string_view text, std::string_view dsml) {
  const std::string closing = "</" + std::string(dsml) + "parameter>";
  const auto parsed = parse_json(text);
  if (!parsed || !parsed->is(JsonValue::Kind::object) ||
      !std::all_of(parsed->keys.begin(), parsed->keys.end(), fits_in_tag)) {
    return as_one_string(text, closing);
  }
  const std::string defused = closing.substr(1);
  std::vector<ToolArgument> out;
  for (std::size_t i = 0; i < parsed->items.size(); ++i) {
    const JsonValue& value = parsed->items[i];
    if (value.is(JsonValue::Kind::string)) {
      out.push_back({parsed->keys[i], replace_all(value.text, closing, "&lt;" + defused), true});
    } else {
      out.push_back(
          {parsed->keys[i], replace_all(json_text(value), closing, "\\u003c" + defused), false});
    }
  }
  return out;
}

}  // namespace ds4
