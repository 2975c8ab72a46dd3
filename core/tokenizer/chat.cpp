#include "tokenizer/chat.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "tokenizer/text_edit.hpp"

namespace ds4 {
namespace {

constexpr std::string_view kBlockBreak = "\n\n";

bool is_system(Role role) noexcept {
  return role == Role::system || role == Role::developer;
}

// A turn of the conversation as it is rendered.
struct Block {
  std::string text;
  const Message* tool = nullptr;  ///< the tool message that the text is the result of
};
struct Turn {
  bool is_user = false;
  std::vector<Block> blocks;           ///< user
  const Message* assistant = nullptr;  ///< assistant
};

// The line that one client puts first and changes with every request would make each prompt a new
// prefix; it says nothing to the model.
std::string_view without_client_header(std::string_view text) noexcept {
  if (!text.starts_with("x-anthropic-")) return text;
  const std::size_t end = text.find('\n');
  return end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
}

void append_joined(std::string& out, std::string_view text, std::string_view separator) {
  if (!out.empty()) out += separator;
  out += text;
}

class Renderer {
 public:
  Renderer(const ModelProfile& profile, const ChatOptions& options)
      : profile_(profile), options_(options), effort_(options.effort) {}

  Result<Prompt> render(std::span<const Message> messages);

 private:
  Result<std::string> part_text(const ContentPart& part) const;
  Result<std::string> system_text(const Message& message) const;
  Result<std::string> result_text(const Message& message) const;
  Result<void> add_user_blocks(Turn& turn, const Message& message) const;
  Result<void> collect(std::span<const Message> messages);
  Result<void> write_head();
  void write_tools();
  void write_user(const Turn& turn);
  Result<void> write_assistant(const Message& message, bool keep_reasoning, bool is_last);
  Result<void> write_calls(const Message& message);
  void open_assistant(bool think);
  void tag(std::string_view before, std::string_view name, std::string_view after = ">");

  const ModelProfile& profile_;
  const ChatOptions& options_;
  const EffortLevel* effort_;
  SegmentBuilder out_;
  Prompt prompt_;
  std::string system_;
  std::vector<Turn> turns_;
};

Result<std::string> Renderer::part_text(const ContentPart& part) const {
  if (part.unsupported_type.empty()) return part.text;
  if (options_.unsupported == UnsupportedContent::refuse) {
    return fail(Errc::invalid_argument, "content of type '", part.unsupported_type,
                "' is not supported; send text");
  }
  return "[Unsupported " + part.unsupported_type + "]";
}

Result<std::string> Renderer::system_text(const Message& message) const {
  std::string out;
  for (const ContentPart& part : message.content) {
    DS4_TRY(const std::string text, part_text(part));
    const std::string_view kept = without_client_header(text);
    if (!kept.empty()) append_joined(out, kept, "\n");
  }
  return out;
}

Result<std::string> Renderer::result_text(const Message& message) const {
  std::string out;
  for (std::size_t i = 0; i < message.content.size(); ++i) {
    DS4_TRY(const std::string text, part_text(message.content[i]));
    if (i > 0) out += kBlockBreak;
    out += text;
  }
  if (message.is_error && !out.starts_with("Error") && !out.starts_with("error")) {
    out.insert(0, "Error: ");
  }
  return "<tool_result>" + replace_all(out, "</tool_result>", "&lt;/tool_result>") +
         "</tool_result>";
}

Result<void> Renderer::add_user_blocks(Turn& turn, const Message& message) const {
  if (message.role == Role::tool) {
    DS4_TRY(std::string text, result_text(message));
    turn.blocks.push_back({std::move(text), &message});
    return {};
  }
  for (const ContentPart& part : message.content) {
    DS4_TRY(std::string text, part_text(part));
    turn.blocks.push_back({std::move(text), nullptr});
  }
  return {};
}

// Puts tool results in the order of the calls they answer; text keeps its place.
void order_results(Turn& turn, const Message* assistant) {
  std::unordered_map<std::string_view, std::size_t> places;  // the first call of each id
  if (assistant != nullptr) {
    const auto& calls = assistant->tool_calls;
    for (std::size_t i = 0; i < calls.size(); ++i) places.emplace(calls[i].id, i);
  }
  const auto index_of = [&](const Message& result) -> std::size_t {
    const auto at = places.find(result.tool_call_id);
    return at == places.end() ? 0 : at->second;
  };
  std::vector<std::pair<std::size_t, Block>> results;
  for (const Block& block : turn.blocks) {
    if (block.tool != nullptr) results.emplace_back(index_of(*block.tool), block);
  }
  std::stable_sort(results.begin(), results.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::size_t next = 0;
  for (Block& block : turn.blocks) {
    if (block.tool != nullptr) block = std::move(results[next++].second);
  }
}

Result<void> Renderer::collect(std::span<const Message> messages) {
  const Message* assistant = nullptr;
  bool leading = true;
  for (const Message& message : messages) {
    leading = leading && is_system(message.role);
    if (leading || (is_system(message.role) && options_.system_place == SystemPlace::hoisted)) {
      DS4_TRY(const std::string text, system_text(message));
      if (!text.empty()) append_joined(system_, text, kBlockBreak);
      continue;
    }
    if (message.role == Role::assistant) {
      turns_.push_back({false, {}, &message});
      continue;
    }
    std::string system;
    if (is_system(message.role)) {
      DS4_TRY(system, system_text(message));
      if (system.empty()) continue;  // else it would open a turn that says nothing
    }
    if (turns_.empty() || !turns_.back().is_user) turns_.push_back({true, {}, nullptr});
    if (is_system(message.role)) {
      turns_.back().blocks.push_back({std::move(system), nullptr});
    } else {
      DS4_CHECK(add_user_blocks(turns_.back(), message));
    }
  }
  for (Turn& turn : turns_) {
    if (turn.is_user) {
      order_results(turn, assistant);
    } else {
      assistant = turn.assistant;
    }
  }
  return {};
}

void Renderer::write_tools() {
  const PromptMarkers& markers = profile_.markers;
  const std::array<std::string_view, 3> tokens = {markers.think_open, markers.think_close,
                                                  markers.dsml};
  out_.marked_text(profile_.tools_head, tokens);
  for (std::size_t i = 0; i < options_.tools.size(); ++i) {
    if (i > 0) out_.text("\n");
    out_.text(options_.tools[i].schema_line);
  }
  out_.marked_text(profile_.tools_tail, tokens);
}

Result<void> Renderer::write_head() {
  out_.control(profile_.markers.bos);
  out_.text(effort_->prefix);
  const bool has_tools = !options_.tools.empty();
  if (has_tools && options_.tools_place == ToolsPlace::before_system) {
    write_tools();
    if (!system_.empty()) out_.text(kBlockBreak);
    out_.text(system_);
  } else {
    out_.text(system_);
    if (has_tools) {
      out_.text(kBlockBreak);
      write_tools();
    }
  }
  if (options_.response_format) {
    auto schema = canonical_json(*options_.response_format);
    if (!schema) return schema.error().in("response format");
    out_.text(kBlockBreak);
    out_.text(profile_.response_format_head);
    out_.text(*schema);
  }
  return {};
}

void Renderer::write_user(const Turn& turn) {
  out_.control(profile_.markers.user);
  for (std::size_t i = 0; i < turn.blocks.size(); ++i) {
    if (i > 0) out_.text(kBlockBreak);
    out_.text(turn.blocks[i].text);
  }
}

void Renderer::open_assistant(bool think) {
  out_.control(profile_.markers.assistant);
  out_.control(think ? profile_.markers.think_open : profile_.markers.think_close);
}

void Renderer::tag(std::string_view before, std::string_view name, std::string_view after) {
  out_.text(before);
  out_.control(profile_.markers.dsml);
  out_.text(name);
  out_.text(after);
}

Result<void> Renderer::write_calls(const Message& message) {
  out_.text(kBlockBreak);
  tag("<", "tool_calls", ">\n");
  for (std::size_t i = 0; i < message.tool_calls.size(); ++i) {
    const ToolCall& call = message.tool_calls[i];
    if (!is_tool_name(call.name)) {
      return fail(Errc::invalid_argument, "tool call '", call.id,
                  "': expected a name of 1 to 128 "
                  "characters out of [A-Za-z0-9_.:/-], found '",
                  call.name.substr(0, 128), "'");
    }
    if (i > 0) out_.text("\n");
    tag("<", "invoke name=\"" + call.name + "\"", ">\n");
    const auto arguments = tool_arguments(call.arguments, profile_.markers.dsml);
    for (std::size_t k = 0; k < arguments.size(); ++k) {
      const ToolArgument& argument = arguments[k];
      if (k > 0) out_.text("\n");
      tag("<", "parameter name=\"" + argument.name + "\" string=\"" +
                   (argument.is_string ? "true\"" : "false\""));
      out_.text(argument.value);
      tag("</", "parameter");
    }
    tag("\n</", "invoke");
  }
  tag("\n</", "tool_calls");
  return {};
}

Result<void> Renderer::write_assistant(const Message& message, bool keep_reasoning, bool is_last) {
  std::string content;
  for (const ContentPart& part : message.content) {
    DS4_TRY(const std::string text, part_text(part));
    content += text;
  }
  std::string reasoning = message.reasoning.value_or("");
  const PromptMarkers& markers = profile_.markers;
  // Clients without a field for reasoning send it inside the content.
  if (!message.reasoning && content.starts_with(markers.think_open)) {
    const std::size_t end = content.find(markers.think_close);
    if (end != std::string::npos) {
      reasoning = content.substr(markers.think_open.size(), end - markers.think_open.size());
      content.erase(0, end + markers.think_close.size());
    }
  }
  const bool thinks = effort_->thinking && keep_reasoning;
  const bool stays_open = is_last && message.tool_calls.empty() &&
                          (options_.trailing == TrailingAssistant::extend ||
                           options_.trailing == TrailingAssistant::extend_trimmed);
  if (stays_open && options_.trailing == TrailingAssistant::extend_trimmed) {
    content.erase(content.find_last_not_of(" \t\n\v\f\r") + 1);
  }
  open_assistant(thinks);
  if (thinks) {
    out_.text(reasoning);
    prompt_.opens_thinking = stays_open && content.empty();
    if (prompt_.opens_thinking) return {};
    out_.control(markers.think_close);
    if (reasoning.empty() && !message.tool_calls.empty()) ++prompt_.missing_reasoning;
  }
  out_.text(content);
  if (!message.tool_calls.empty()) DS4_CHECK(write_calls(message));
  if (!stays_open) out_.control(markers.eos);
  return {};
}

Result<Prompt> Renderer::render(std::span<const Message> messages) {
  if (messages.empty()) {
    return fail(Errc::invalid_argument, "the conversation is empty; send at least one message");
  }
  if (effort_ == nullptr) {
    DS4_TRY(effort_, resolve_effort(profile_, "", 0));
  }
  DS4_CHECK(collect(messages));
  DS4_CHECK(write_head());

  const bool keep_all =
      !options_.tools.empty() || std::any_of(messages.begin(), messages.end(), [](const auto& m) {
        return m.role == Role::tool || !m.tool_calls.empty();
      });
  std::size_t after_last_user = turns_.size();
  while (after_last_user > 0 && !turns_[after_last_user - 1].is_user) --after_last_user;
  for (std::size_t i = 0; i < turns_.size(); ++i) {
    if (turns_[i].is_user) {
      write_user(turns_[i]);
    } else {
      DS4_CHECK(write_assistant(*turns_[i].assistant, keep_all || i >= after_last_user,
                                i + 1 == turns_.size()));
    }
  }
  const bool ends_with_assistant = !turns_.empty() && !turns_.back().is_user;
  const bool closed = !ends_with_assistant || !turns_.back().assistant->tool_calls.empty() ||
                      options_.trailing == TrailingAssistant::new_turn;
  if (closed && !(ends_with_assistant && options_.trailing == TrailingAssistant::finish)) {
    open_assistant(effort_->thinking);
    prompt_.opens_thinking = effort_->thinking;
  }
  prompt_.segments = std::move(out_).take();
  return std::move(prompt_);
}

}  // namespace

Message text_message(Role role, std::string_view text) {
  Message out;
  out.role = role;
  out.content.push_back({std::string(text), {}});
  return out;
}

Result<Prompt> render_chat(const ModelProfile& profile, std::span<const Message> messages,
                           const ChatOptions& options) {
  return Renderer(profile, options).render(messages);
}

}  // namespace ds4
