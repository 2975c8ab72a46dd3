#include "run/prompt.hpp"

#include <algorithm>
#include <utility>

#include "common/files.hpp"
#include "run/prefix_file.hpp"

namespace ds4::run {

Result<std::optional<std::string>> prompt_text(const RunOptions& options,
                                               const cli::Console& console) {
  std::optional<std::string> text = options.prompt;
  const bool from_input = options.prompt_file && *options.prompt_file == "-";
  if (options.prompt_file && !from_input) {
    DS4_TRY(text, cli::read_file(*options.prompt_file));
    return text;
  }
  if (from_input || (!console.stdin_is_terminal() && !options.is_chat)) {
    DS4_TRY(std::string input, cli::read_standard_input());
    if (text && !input.empty()) text->append("\n\n").append(input);
    if (!text) text = std::move(input);
  }
  return text;
}

Result<const EffortLevel*> effective_effort(ThinkMode mode, std::uint32_t context,
                                            std::string& warning) {
  const std::string wanted = effort_name(mode);
  DS4_TRY(const EffortLevel* level, resolve_effort(v4_profile(), wanted, context));
  if (level->name != wanted) {
    DS4_TRY(const EffortLevel* full, resolve_effort(v4_profile(), wanted, 0));
    warning = "Think Max needs a context of " + std::to_string(full->min_context) +
              " tokens, this one has " + std::to_string(context) +
              "; normal thinking is used (raise --ctx)";
  }
  return level;
}

Result<Conversation> start_conversation(const RunOptions& options, const Tokenizer& tokenizer) {
  DS4_TRY(Conversation conversation, Conversation::make(tokenizer, v4_profile(), options.system));
  if (options.prefix_file.empty()) return conversation;
  DS4_TRY(const std::string text, cli::read_file(options.prefix_file));
  const auto pairs = parse_prefix(text);
  if (!pairs) return pairs.error().in(options.prefix_file);
  for (const PrefixPair& pair : *pairs) {
    DS4_CHECK(conversation.append_text(pair.user, false, pair.assistant));
  }
  return conversation;
}

Result<TokenPrompt> tokenize_prompt(const RunOptions& options, const Tokenizer& tokenizer,
                                    const EffortLevel& effort, const std::string& text) {
  TokenPrompt prompt;
  if (options.is_raw) {
    DS4_TRY(prompt.tokens, tokenizer.encode_text(text));
  } else if (text.starts_with(v4_profile().markers.bos)) {
    DS4_TRY(prompt.tokens, tokenizer.encode_rendered(text));
    // The answer begins as the last thinking marker of the prompt leaves it.
    const SpecialIds& ids = tokenizer.vocabulary().special();
    const auto last = std::find_if(prompt.tokens.rbegin(), prompt.tokens.rend(), [&](auto id) {
      return id == ids.think_open || id == ids.think_close;
    });
    prompt.opens_thinking = last != prompt.tokens.rend() && *last == ids.think_open;
    prompt.scans_tags = prompt.opens_thinking;
  } else {
    DS4_TRY(const Conversation conversation, start_conversation(options, tokenizer));
    DS4_TRY(prompt.tokens, conversation.prompt(text, effort));
    prompt.opens_thinking = effort.thinking;
    prompt.scans_tags = effort.thinking;
  }
  if (prompt.tokens.empty()) {
    return fail(Errc::invalid_argument, "the prompt is empty; a raw prompt needs at least a token");
  }
  return prompt;
}

}  // namespace ds4::run
