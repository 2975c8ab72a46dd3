#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "common/console.hpp"
#include "run/conversation.hpp"
#include "run/options.hpp"

namespace ds4::run {

/// The prompt text of the options: that of -p or --prompt-file, with piped standard input after a
/// blank line, or standard input alone. Nothing means a chat. Errors: not_found, io.
Result<std::optional<std::string>> prompt_text(const RunOptions& options,
                                               const cli::Console& console);

/// A prompt as tokens.
struct TokenPrompt {
  std::vector<std::int32_t> tokens;
  bool scans_tags = false;  ///< the answer may hold thinking
  bool opens_thinking = false;
};

/// The thinking level that holds in this context; a Think Max that needs more context becomes the
/// level below it, which `warning` then says.
Result<const EffortLevel*> effective_effort(ThinkMode mode, std::uint32_t context,
                                            std::string& warning);

/// Starts a conversation with the system text and the pairs of --prefix-file.
Result<Conversation> start_conversation(const RunOptions& options, const Tokenizer& tokenizer);

/// One prompt -> tokens: plain with --raw-prompt; as it is written when it begins with the
/// beginning-of-sequence text; otherwise as the user message of a conversation, in which markers
/// stay plain text.
Result<TokenPrompt> tokenize_prompt(const RunOptions& options, const Tokenizer& tokenizer,
                                    const EffortLevel& effort, const std::string& text);

}  // namespace ds4::run
