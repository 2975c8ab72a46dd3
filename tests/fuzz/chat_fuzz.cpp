// Any bytes as a conversation: two option bytes, then fields separated by 0xFF, each a message
// whose first byte selects role and flags. Holds: no crash, control segments only as the renderer
// writes them, and what is rendered tells the number of turns regardless of the text.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/chat.hpp"
#include "tokenizer/json_text.hpp"

namespace {

void require(bool holds) {
  if (!holds) __builtin_trap();
}

ds4::Message message_of(std::string_view field) {
  const auto head = static_cast<std::uint8_t>(field[0]);
  const std::string body(field.substr(1));
  ds4::Message out = ds4::text_message(static_cast<ds4::Role>(head % 5), body);
  if ((head & 0x20U) != 0) out.reasoning = body;
  if ((head & 0x40U) != 0) out.content.push_back({body, (head & 0x10U) != 0 ? "image_url" : ""});
  out.is_error = (head & 0x10U) != 0;
  out.tool_call_id = body.substr(0, 1);
  if ((head & 0x80U) != 0 && out.role == ds4::Role::assistant) {
    out.tool_calls = {{body.substr(0, 1), "f", body}, {"x", "g", "{\"k\":" + body + "}"}};
  }
  return out;
}

ds4::ChatOptions options_of(std::uint8_t first, std::uint8_t second, std::string_view json) {
  const ds4::ModelProfile& profile = ds4::v4_profile();
  ds4::ChatOptions out;
  out.effort = &profile.efforts[first % profile.efforts.size()];
  out.trailing = static_cast<ds4::TrailingAssistant>((first >> 2U) % 4);
  out.tools_place = static_cast<ds4::ToolsPlace>((first >> 4U) % 2);
  out.system_place = static_cast<ds4::SystemPlace>((first >> 5U) % 2);
  out.unsupported = static_cast<ds4::UnsupportedContent>((first >> 6U) % 2);
  if ((second & 1U) != 0) out.response_format = std::string(json);
  if ((second & 2U) != 0) {
    if (const auto value = ds4::parse_json(json); value && value->is(ds4::JsonValue::Kind::array)) {
      if (auto tools = ds4::make_tools(value->items)) out.tools = *std::move(tools);
    }
  }
  return out;
}

// The canonical form is a fixed point.
void try_json(std::string_view text) {
  const auto once = ds4::canonical_json(text);
  if (!once) return;
  const auto twice = ds4::canonical_json(*once);
  require(twice.ok() && *twice == *once);
}

std::size_t count(const std::vector<ds4::Segment>& segments, std::string_view token) {
  std::size_t out = 0;
  for (const ds4::Segment& segment : segments) {
    out += segment.kind == ds4::Segment::Kind::control && segment.bytes == token ? 1U : 0U;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 3) return 0;
  std::string_view data(reinterpret_cast<const char*>(bytes) + 2, size - 2);
  try_json(data);
  std::vector<ds4::Message> messages;
  std::string_view last;
  while (!data.empty()) {
    const std::size_t end = data.find('\xFF');
    const std::string_view field = data.substr(0, end);
    if (!field.empty()) messages.push_back(message_of(field));
    last = field;
    data.remove_prefix(end == std::string_view::npos ? data.size() : end + 1);
  }
  const ds4::ModelProfile& profile = ds4::v4_profile();
  const auto prompt = ds4::render_chat(profile, messages, options_of(bytes[0], bytes[1], last));
  if (!prompt) return 0;
  std::size_t assistants = 0;
  for (const ds4::Message& message : messages) {
    assistants += message.role == ds4::Role::assistant ? 1U : 0U;
  }
  require(count(prompt->segments, profile.markers.bos) == 1);
  require(count(prompt->segments, profile.markers.eos) <= assistants);
  const std::size_t opened = count(prompt->segments, profile.markers.assistant);
  require(opened == assistants || opened == assistants + 1);
  for (std::size_t i = 1; i < prompt->segments.size(); ++i) {
    require(prompt->segments[i - 1].kind == ds4::Segment::Kind::control ||
            prompt->segments[i].kind == ds4::Segment::Kind::control);
  }
  return 0;
}
