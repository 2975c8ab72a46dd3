#include "bench/prompt.hpp"

#include <array>
#include <random>

#include "common/files.hpp"
#include "tokenizer/chat.hpp"

namespace ds4::bench {
namespace {

Result<std::vector<std::int32_t>> chat_tokens(const BenchOptions& options,
                                              const Tokenizer& tokenizer) {
  DS4_TRY(const std::string text, cli::read_file(options.chat_prompt_file));
  const std::array messages = {text_message(Role::system, options.system),
                               text_message(Role::user, text)};
  ChatOptions chat;
  DS4_TRY(chat.effort, resolve_effort(v4_profile(), "none", 0));
  DS4_TRY(const Prompt prompt, render_chat(v4_profile(), messages, chat));
  return tokenizer.encode_segments(prompt.segments);
}

// Words of a text follow each other unevenly; drawn tokens route to all experts alike, which is
// the harder case for memory.
std::vector<std::int32_t> drawn_tokens(const BenchOptions& options, const Vocabulary& vocabulary) {
  std::vector<std::int32_t> ordinary;
  for (std::int32_t id = 0; id < vocabulary.size(); ++id) {
    if (!vocabulary.is_special(id) && !vocabulary.bytes(id).empty()) ordinary.push_back(id);
  }
  std::vector<std::int32_t> tokens;
  if (ordinary.empty()) return tokens;
  std::mt19937_64 random(options.seed);
  tokens.reserve(options.last);
  while (tokens.size() < options.last) tokens.push_back(ordinary[random() % ordinary.size()]);
  return tokens;
}

}  // namespace

Result<std::vector<std::int32_t>> prompt_tokens(const BenchOptions& options,
                                                const Tokenizer& tokenizer) {
  std::vector<std::int32_t> tokens;
  if (!options.chat_prompt_file.empty()) {
    DS4_TRY(tokens, chat_tokens(options, tokenizer));
  } else if (!options.prompt_file.empty()) {
    DS4_TRY(const std::string text, cli::read_file(options.prompt_file));
    DS4_TRY(tokens, tokenizer.encode_text(text));
  } else {
    tokens = drawn_tokens(options, tokenizer.vocabulary());
  }
  if (tokens.size() < options.last) {
    return fail(Errc::invalid_argument, prompt_source(options), " has ", tokens.size(),
                " tokens, --ctx-max asks for ", options.last);
  }
  return tokens;
}

std::string prompt_source(const BenchOptions& options) {
  if (!options.chat_prompt_file.empty()) return "user message of " + options.chat_prompt_file;
  if (!options.prompt_file.empty()) return "plain text of " + options.prompt_file;
  return "drawn tokens, seed " + std::to_string(options.seed);
}

}  // namespace ds4::bench
