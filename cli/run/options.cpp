#include "run/options.hpp"

#include <utility>

#include "common/expert_cache.hpp"
#include "common/numbers.hpp"
#include "common/shadow.hpp"

namespace ds4::run {
namespace {

using cli::OptionTable;
using cli::Topic;

// A second mode is a contradiction that the options' own values cannot show.
Result<void> set_mode(RunOptions& options, Mode mode, const std::string& name) {
  if (options.mode != Mode::generate && options.mode != mode) {
    return fail(Errc::invalid_argument, "cannot be used together with ", options.mode_option);
  }
  options.mode = mode;
  options.mode_option = name;
  return {};
}

Result<void> set_think(RunOptions& options, ThinkMode mode) {
  if (options.think_given && *options.think_given != mode) {
    return fail(Errc::invalid_argument,
                "contradicts another of --think, --think-max and --nothink");
  }
  options.think_given = mode;
  return {};
}

Result<void> set_show_thinking(RunOptions& options, const std::string& text) {
  if (text == "auto") {
    options.show_thinking = ShowThinking::automatic;
  } else if (text == "always") {
    options.show_thinking = ShowThinking::always;
  } else if (text == "never") {
    options.show_thinking = ShowThinking::never;
  } else {
    return fail(Errc::invalid_argument, "expected auto, always or never, got '", text, "'");
  }
  return {};
}

OptionTable::Take store_optional(std::optional<std::string>& target) {
  return [&target](const std::string& text) -> Result<void> {
    target = text;
    return {};
  };
}

void declare_prompt_options(OptionTable& table, RunOptions& options) {
  table.value("-p,--prompt", "TEXT", Topic::common, "answer this and exit",
              store_optional(options.prompt), OptionTable::Repeat::refused);
  table.value("--prompt-file", "FILE", Topic::common,
              "the same with the prompt from a file; - is standard input",
              store_optional(options.prompt_file), OptionTable::Repeat::refused);
  table.value("--system", "TEXT", Topic::common,
              "system text (also -sys); empty for none (default: a short one)",
              cli::store_text(options.system));
  table.value("-n,--tokens", "N", Topic::common, "most tokens to generate (default 50000)",
              cli::store_integer(options.tokens, 1, cli::kMaxInteger));
  table.alias("--think", Topic::common, "think before answering (default)",
              [&options] { return set_think(options, ThinkMode::high); });
  table.alias("--think-max", Topic::common, "think as hard as possible; needs --ctx 393216",
              [&options] { return set_think(options, ThinkMode::max); });
  table.alias("--nothink", Topic::common, "answer at once",
              [&options] { return set_think(options, ThinkMode::none); });
  table.flag("--chat", Topic::common, "chat even if standard input is no terminal: a turn per line",
             [&options] { options.is_chat = true; });
  table.flag("--raw-prompt", Topic::sampling, "continue the prompt as plain text, without a chat",
             [&options] { options.is_raw = true; });
  table.value("--prefix-file", "FILE", Topic::sampling,
              "turns to start with: lines USER: ... and ASSISTANT: ...",
              cli::store_text(options.prefix_file));
}

OptionTable::Take store_file(std::string& target) {
  return [&target](const std::string& text) -> Result<void> {
    if (text.empty()) return fail(Errc::invalid_argument, "expected the name of a file");
    target = text;
    return {};
  };
}

void declare_session_options(OptionTable& table, RunOptions& options) {
  table.value("--kv-save", "FILE", Topic::common,
              "save the model's state at the end; prompt and answer are in it",
              store_file(options.kv_save), OptionTable::Repeat::refused);
  table.value("--kv-load", "FILE", Topic::common,
              "start from a saved state: what the prompt has in common with it is not evaluated "
              "again",
              store_file(options.kv_load), OptionTable::Repeat::refused);
}

bool keeps_sessions(Mode mode) {
  return mode == Mode::generate || mode == Mode::dump_logits || mode == Mode::dump_logprobs;
}

void declare_output_options(OptionTable& table, RunOptions& options) {
  table.flag("--json", Topic::common, "print one JSON object instead of text (one shot)",
             [&options] { options.prints_json = true; });
  table.value("--show-thinking", "auto|always|never", Topic::common,
              "auto (default): when standard output is a terminal",
              [&options](const std::string& text) { return set_show_thinking(options, text); });
  table.flag("--no-timing", Topic::common, "no timing lines at the end",
             [&options] { options.hides_timing = true; });
  table.value("--trace", "FILE", Topic::diagnostics,
              "write prompt tokens and every sampled token as JSON lines",
              cli::store_text(options.trace));
}

void declare_file_mode(OptionTable& table, RunOptions& options, const char* name, Mode mode,
                       std::string& target, const char* help) {
  table.value(name, "FILE", Topic::diagnostics, help,
              [&options, &target, name, mode](const std::string& text) -> Result<void> {
                target = text;
                return set_mode(options, mode, name);
              });
}

void declare_diagnostics(OptionTable& table, RunOptions& options) {
  const auto mode_flag = [&](const char* name, Mode mode, const char* help) {
    table.alias(name, Topic::diagnostics, help,
                [&options, name, mode] { return set_mode(options, mode, name); });
  };
  mode_flag("--inspect", Mode::inspect, "print a summary of the model and exit");
  mode_flag("--report", Mode::report, "print a bundle for a bug report and exit");
  mode_flag("--dump-tokens", Mode::dump_tokens,
            "print the tokens of the prompt, markers recognised, and exit");
  declare_file_mode(table, options, "--dump-logits", Mode::dump_logits, options.out_file,
                    "write the logits after the prompt as JSON");
  declare_file_mode(table, options, "--dump-logprobs", Mode::dump_logprobs, options.out_file,
                    "write a greedy continuation with its likeliest tokens as JSON");
  table.value("--logprobs-top-k", "K", Topic::diagnostics,
              "tokens per step of --dump-logprobs (default 20)",
              cli::store_integer(options.logprobs_top_k, 1, 128));
  table.value(
      "--decode-consistency", "N", Topic::diagnostics,
      "compare N decoded tokens with a prefill of the same tokens",
      [&options](const std::string& text) -> Result<void> {
        DS4_CHECK(cli::store_integer(options.consistency_tokens, 1, cli::kMaxInteger)(text));
        return set_mode(options, Mode::decode_consistency, "--decode-consistency");
      });
  declare_file_mode(table, options, "--perplexity-file", Mode::perplexity, options.perplexity_file,
                    "perplexity of a text, one token at a time after the first 32");
  table.optional_value("--ppl-chunks", "C", Topic::diagnostics,
                       "with --perplexity-file: windows of C tokens (default 512), second halves "
                       "scored",
                       [&options](const std::string& text) -> Result<void> {
                         std::uint32_t window = 512;
                         if (!text.empty()) DS4_CHECK(cli::store_integer(window, 8, 4096)(text));
                         options.perplexity_window = window;
                         return {};
                       });
}

}  // namespace

const char* effort_name(ThinkMode mode) noexcept {
  switch (mode) {
    case ThinkMode::none:
      return "none";
    case ThinkMode::high:
      return "high";
    case ThinkMode::max:
      break;
  }
  return "max";
}

OptionTable make_option_table(RunOptions& options) {
  OptionTable table(
      "ds4-run",
      "usage: ds4-run [-m FILE] [-p TEXT | --prompt-file FILE] [OPTIONS]\n"
      "Answers a prompt, or chats when there is none. Text piped in is the prompt, or "
      "follows that of -p.");
  cli::declare_runtime_options(table, options.runtime);
  cli::declare_plan_option(table, options.runtime);
  cli::declare_expert_option(table, options.runtime);
  declare_prompt_options(table, options);
  declare_output_options(table, options);
  declare_session_options(table, options);
  cli::declare_sampling_options(table, options.sampling);
  declare_diagnostics(table, options);
  cli::declare_shadow_option(table, options.runtime);
  cli::declare_unavailable_options(table);
  table.text_topic("commands", chat_help());
  return table;
}

Result<void> check_options(const RunOptions& options) {
  if (options.runtime.shadow && options.runtime.placement) {
    return fail(Errc::invalid_argument,
                "--shadow cannot be used together with --place: it checks one device at a time; "
                "name that with --backend");
  }
  if (options.prompt && options.prompt_file) {
    return fail(Errc::invalid_argument, "--prompt and --prompt-file cannot be used together");
  }
  const bool has_prompt = options.prompt || options.prompt_file;
  if (options.is_chat && has_prompt) {
    return fail(Errc::invalid_argument, "--chat cannot be used together with a prompt");
  }
  if (options.is_chat && options.is_raw) {
    return fail(Errc::invalid_argument, "--raw-prompt is for one prompt, not for --chat");
  }
  if (options.is_chat && options.prints_json) {
    return fail(Errc::invalid_argument, "--json is for one prompt, not for --chat");
  }
  if (options.is_chat && options.mode != Mode::generate) {
    return fail(Errc::invalid_argument, "--chat cannot be used together with ",
                options.mode_option);
  }
  if (options.is_raw && !options.prefix_file.empty()) {
    return fail(Errc::invalid_argument, "--raw-prompt and --prefix-file cannot be used together");
  }
  if (options.mode != Mode::generate) {
    // They shape an answer, and these modes give none.
    const char* const idle = options.prints_json                                ? "--json"
                             : !options.trace.empty()                           ? "--trace"
                             : options.show_thinking != ShowThinking::automatic ? "--show-thinking"
                                                                                : nullptr;
    if (idle != nullptr) {
      return fail(Errc::invalid_argument, idle, " has no effect together with ",
                  options.mode_option);
    }
  }
  if (options.runtime.shadow && (options.mode == Mode::inspect || options.mode == Mode::report ||
                                 options.mode == Mode::dump_tokens)) {
    return fail(Errc::invalid_argument, "--shadow has no effect together with ",
                options.mode_option);
  }
  if (!keeps_sessions(options.mode)) {
    for (const auto& [file, name] :
         {std::pair(&options.kv_load, "--kv-load"), std::pair(&options.kv_save, "--kv-save")}) {
      if (file->empty()) continue;
      return fail(Errc::invalid_argument, name, " cannot be used together with ",
                  options.mode_option);
    }
  }
  if (options.perplexity_window && options.mode != Mode::perplexity) {
    return fail(Errc::invalid_argument, "--ppl-chunks needs --perplexity-file");
  }
  return {};
}

const char* chat_help() noexcept {
  return "Commands of the chat:\n"
         "  /help                       this list\n"
         "  /think, /think-max, /nothink\n"
         "                              how the following turns think\n"
         "  /ctx N                      another context size\n"
         "  /read FILE                  the file's text is the next message\n"
         "  /set KEY VALUE              temp, top-p, min-p, top-k, seed or tokens\n"
         "  /status                     context in use, mode, sampling, model\n"
         "  /retry                      drop the last answer and make another\n"
         "  /undo                       drop the last turn\n"
         "  /clear                      a new conversation\n"
         "  /save FILE, /load FILE      the conversation as text\n"
         "  /quit, /exit                leave; so does Ctrl+D on an empty line\n"
         "A line that starts with // is sent with one slash. A backslash at the end of a line or\n"
         "Alt+Enter starts another line. Ctrl+C stops an answer.\n";
}

}  // namespace ds4::run
