#include "tokenizer/profile.hpp"

#include <array>
#include <string>

namespace ds4 {
namespace {

// U+FF5C and U+2581 in UTF-8; macros because only string literals can be concatenated.
#define DS4_BAR "\xEF\xBD\x9C"
#define DS4_LOW "\xE2\x96\x81"

// Prompt text of the V4 release (DeepSeek-AI, MIT License). The model was trained on these bytes.
constexpr std::string_view kMaxEffortPrefix =
    "Reasoning Effort: Absolute maximum with no shortcuts permitted.\n"
    "You MUST be very thorough in your thinking and comprehensively decompose the "
    "problem to resolve the root cause, rigorously stress-testing your logic against all "
    "potential paths, edge cases, and adversarial scenarios.\n"
    "Explicitly write out your entire deliberation process, documenting every "
    "intermediate step, considered alternative, and rejected hypothesis to ensure "
    "absolutely no assumption is left unchecked.\n"
    "\n";

constexpr std::string_view kToolsHead =
    "## Tools\n"
    "\n"
    "You have access to a set of tools to help answer the user's question. You can "
    "invoke tools by writing a \"<" DS4_BAR "DSML" DS4_BAR
    "tool_calls>\" block like the following:\n"
    "\n"
    "<" DS4_BAR "DSML" DS4_BAR
    "tool_calls>\n"
    "<" DS4_BAR "DSML" DS4_BAR
    "invoke name=\"$TOOL_NAME\">\n"
    "<" DS4_BAR "DSML" DS4_BAR
    "parameter name=\"$PARAMETER_NAME\" "
    "string=\"true|false\">$PARAMETER_VALUE</" DS4_BAR "DSML" DS4_BAR
    "parameter>\n"
    "...\n"
    "</" DS4_BAR "DSML" DS4_BAR
    "invoke>\n"
    "<" DS4_BAR "DSML" DS4_BAR
    "invoke name=\"$TOOL_NAME2\">\n"
    "...\n"
    "</" DS4_BAR "DSML" DS4_BAR
    "invoke>\n"
    "</" DS4_BAR "DSML" DS4_BAR
    "tool_calls>\n"
    "\n"
    "String parameters should be specified as is and set `string=\"true\"`. For all "
    "other types (numbers, booleans, arrays, objects), pass the value in JSON format and "
    "set `string=\"false\"`.\n"
    "\n"
    "If thinking_mode is enabled (triggered by <think>), you MUST output your complete "
    "reasoning inside <think>...</think> BEFORE any tool calls or final response.\n"
    "\n"
    "Otherwise, output directly after </think> with tool calls or final response.\n"
    "\n"
    "### Available Tool Schemas\n"
    "\n";

constexpr std::string_view kToolsTail =
    "\n"
    "\n"
    "You MUST strictly follow the above defined tool name and parameter schemas to "
    "invoke tool calls.\n";

constexpr std::string_view kResponseFormatHead =
    "## Response Format:\n\nYou MUST strictly adhere to the following schema to reply:\n";

// 384 K tokens: below this the release advises against maximum effort.
constexpr std::array<EffortLevel, 3> kV4Efforts = {{
    {.name = "none", .thinking = false, .prefix = {}, .min_context = 0},
    {.name = "high", .thinking = true, .prefix = {}, .min_context = 0},
    {.name = "max", .thinking = true, .prefix = kMaxEffortPrefix, .min_context = 393216},
}};

constexpr std::array<EffortAlias, 8> kV4Aliases = {{
    {.value = "none", .level = "none"},
    {.value = "minimal", .level = "high"},
    {.value = "low", .level = "high"},
    {.value = "medium", .level = "high"},
    {.value = "high", .level = "high"},
    {.value = "xhigh", .level = "high"},
    {.value = "max", .level = "max"},
    {.value = "ultra", .level = "max"},
}};

constexpr ModelProfile kV4 = {
    .name = "deepseek-v4",
    .markers = {.bos = "<" DS4_BAR "begin" DS4_LOW "of" DS4_LOW "sentence" DS4_BAR ">",
                .eos = "<" DS4_BAR "end" DS4_LOW "of" DS4_LOW "sentence" DS4_BAR ">",
                .user = "<" DS4_BAR "User" DS4_BAR ">",
                .assistant = "<" DS4_BAR "Assistant" DS4_BAR ">",
                .think_open = "<think>",
                .think_close = "</think>",
                .dsml = DS4_BAR "DSML" DS4_BAR},
    .efforts = kV4Efforts,
    .aliases = kV4Aliases,
    .default_effort = "high",
    .tools_head = kToolsHead,
    .tools_tail = kToolsTail,
    .response_format_head = kResponseFormatHead,
    .sampling = {.temperature = 1.0F, .top_p = 1.0F, .top_k = 0, .chat_min_p = 0.05F},
};

#undef DS4_BAR
#undef DS4_LOW

constexpr std::array<const ModelProfile*, 1> kProfiles = {&kV4};

}  // namespace

const ModelProfile& v4_profile() noexcept {
  return kV4;
}

Result<const ModelProfile*> find_profile(std::string_view name) {
  std::string known;
  for (const ModelProfile* profile : kProfiles) {
    if (profile->name == name) return profile;
    known.append(known.empty() ? "" : ", ").append(profile->name);
  }
  return fail(Errc::not_found, "no model profile is called '", name, "'; known are: ", known);
}

Result<const EffortLevel*> resolve_effort(const ModelProfile& profile, std::string_view value,
                                          std::uint64_t context) {
  const std::string_view wanted = value.empty() ? profile.default_effort : value;
  std::string accepted;
  for (const EffortAlias& alias : profile.aliases) {
    if (alias.value != wanted) {
      accepted.append(accepted.empty() ? "" : ", ").append(alias.value);
      continue;
    }
    std::size_t level = 0;
    while (level < profile.efforts.size() && profile.efforts[level].name != alias.level) ++level;
    if (level == profile.efforts.size()) break;
    while (level > 0 && context != 0 && profile.efforts[level].min_context > context) --level;
    return &profile.efforts[level];
  }
  return fail(Errc::invalid_argument, "reasoning effort '", wanted,
              "' is unknown; accepted are: ", accepted);
}

}  // namespace ds4
