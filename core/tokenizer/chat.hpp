#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "tokenizer/chat_tools.hpp"
#include "tokenizer/profile.hpp"
#include "tokenizer/segments.hpp"

namespace ds4 {

enum class Role { system, developer, user, assistant, tool };

/// A piece of a message: text, or a kind of content (image, ...) that the model cannot read.
struct ContentPart {
  std::string text;
  std::string unsupported_type;  ///< not empty: the part is of this type and has no text
};

/// A call in an assistant message; `arguments` is the JSON text as sent.
struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;
};

/// A message as any of the request formats express it.
struct Message {
  Role role = Role::user;
  std::vector<ContentPart> content;
  std::optional<std::string> reasoning;  ///< assistant; absent is not the same as empty
  std::vector<ToolCall> tool_calls;      ///< assistant
  std::string tool_call_id;              ///< tool
  bool is_error = false;                 ///< tool
};

/// What becomes of an assistant message at the end of the conversation.
enum class TrailingAssistant {
  finish,         ///< closed by EOS, nothing follows (training form)
  new_turn,       ///< closed by EOS, then a new assistant turn is opened
  extend,         ///< left open; generation continues it
  extend_trimmed  ///< the same without its trailing white space
};

enum class ToolsPlace { after_system, before_system };
enum class SystemPlace { in_place, hoisted };
enum class UnsupportedContent { describe, refuse };

struct ChatOptions {
  const EffortLevel* effort = nullptr;  ///< null: the profile's default
  std::vector<ToolDefinition> tools;
  std::optional<std::string> response_format;  ///< JSON text of the schema
  TrailingAssistant trailing = TrailingAssistant::new_turn;
  ToolsPlace tools_place = ToolsPlace::after_system;
  SystemPlace system_place = SystemPlace::in_place;
  UnsupportedContent unsupported = UnsupportedContent::describe;
};

/// A rendered conversation.
struct Prompt {
  std::vector<Segment> segments;
  bool opens_thinking = false;          ///< the answer begins inside <think>
  std::uint32_t missing_reasoning = 0;  ///< kept tool-call turns that came back without reasoning
};

/// A message of plain text.
[[nodiscard]] Message text_message(Role role, std::string_view text);

/// Messages -> prompt, in the official order, byte for byte.
///
/// Leading system and developer messages form the system text, later ones are text of a user turn;
/// neighbouring user and tool messages form one turn. Control segments are written by the renderer
/// only, so client text can not forge a turn.
/// Errors: invalid_argument (no message, call without a valid name, response format that is no
/// JSON, unsupported content when refused).
Result<Prompt> render_chat(const ModelProfile& profile, std::span<const Message> messages,
                           const ChatOptions& options);

}  // namespace ds4
