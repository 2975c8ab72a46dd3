#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "common/option_table.hpp"
#include "common/runtime_options.hpp"
#include "common/sampling_options.hpp"

namespace ds4::run {

enum class ThinkMode { none, high, max };
enum class ShowThinking { automatic, always, never };

/// What ds4-run does; exactly one.
enum class Mode {
  generate,  ///< one shot or chat, by what the prompt is
  inspect,
  dump_tokens,
  dump_logits,
  dump_logprobs,
  decode_consistency,
  perplexity,
  report,
};

inline constexpr const char* kDefaultSystem = "You are a helpful assistant.";

struct RunOptions {
  cli::RuntimeOptions runtime;
  cli::SamplingOptions sampling;
  Mode mode = Mode::generate;
  std::string mode_option;  ///< the option that chose the mode, for messages

  std::optional<std::string> prompt;
  std::optional<std::string> prompt_file;
  std::string system = kDefaultSystem;
  std::string prefix_file;
  std::uint32_t tokens = 50000;
  std::optional<ThinkMode> think_given;
  bool is_chat = false;
  bool is_raw = false;
  bool prints_json = false;
  bool hides_timing = false;
  ShowThinking show_thinking = ShowThinking::automatic;
  std::string trace;
  std::string kv_load;  ///< a saved session to start from
  std::string kv_save;  ///< where the session goes at the end

  std::string out_file;  ///< of --dump-logits and --dump-logprobs
  std::uint32_t logprobs_top_k = 20;
  std::uint32_t consistency_tokens = 0;
  std::string perplexity_file;
  std::optional<std::uint32_t> perplexity_window;  ///< set: --ppl-chunks

  [[nodiscard]] ThinkMode think() const { return think_given.value_or(ThinkMode::high); }
};

/// "none", "high" or "max", as model profiles call them.
[[nodiscard]] const char* effort_name(ThinkMode mode) noexcept;

/// The table of ds4-run; `options` outlives it.
[[nodiscard]] cli::OptionTable make_option_table(RunOptions& options);

/// Contradictions that only show when all options are known.
/// Errors: invalid_argument with one line.
Result<void> check_options(const RunOptions& options);

/// The commands of the chat, as /help and --help commands show them.
[[nodiscard]] const char* chat_help() noexcept;

}  // namespace ds4::run
