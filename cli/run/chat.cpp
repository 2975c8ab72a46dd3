#include "run/chat.hpp"

#include <iostream>
#include <utility>

#include "common/interrupt.hpp"
#include "run/answer.hpp"
#include "run/line_editor.hpp"
#include "run/timing.hpp"

namespace ds4::run {
namespace {

bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

void chat_on_terminal(const cli::Console& console, Chat& chat, const std::filesystem::path& home) {
  const std::filesystem::path history = (home.empty() ? "." : home) / ".ds4_history";
  LineEditor editor(console, history);
  console.write_error(chat_help());
  while (true) {
    const LineEditor::Line line = editor.read("ds4> ");
    if (line.kind == LineEditor::Line::Kind::end) return;
    if (line.kind == LineEditor::Line::Kind::abandoned || is_blank(line.text)) continue;
    if (!chat.take(line.text)) return;
  }
}

void chat_on_lines(Chat& chat) {
  for (std::string line; std::getline(std::cin, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (!is_blank(line) && !chat.take(line)) return;
    if (cli::InterruptGuard::raised()) return;  // a script of turns ends with the turn it was in
  }
}

}  // namespace

Chat::Chat(const cli::Console& console, RunOptions options, Session& session,
           Conversation conversation, std::optional<Trace> trace)
    : console_(console),
      options_(std::move(options)),
      session_(session),
      conversation_(std::move(conversation)),
      trace_(std::move(trace)) {}

Result<Chat> Chat::make(const cli::Console& console, RunOptions options, Session& session) {
  DS4_TRY(Conversation conversation, start_conversation(options, session.tokenizer()));
  std::optional<Trace> trace;
  if (!options.trace.empty()) {
    DS4_TRY(Trace opened, Trace::open(options.trace, session.tokenizer()));
    trace.emplace(std::move(opened));
  }
  return Chat(console, std::move(options), session, std::move(conversation), std::move(trace));
}

bool Chat::take(const std::string& line) {
  if (line.starts_with("//")) {
    turn(line.substr(1));
    return !session_.has_finding();
  }
  if (!line.starts_with('/')) {
    turn(line);
    return !session_.has_finding();
  }
  const std::size_t space = line.find(' ');
  const std::string name = line.substr(0, space);
  std::string argument = space == std::string::npos ? "" : line.substr(space + 1);
  argument.erase(0, argument.find_first_not_of(' '));
  while (argument.ends_with(' ')) argument.pop_back();
  return command(name, argument) && !session_.has_finding();  // /retry and /read evaluate too
}

Result<const EffortLevel*> Chat::effort(std::string& warning) const {
  return effective_effort(options_.think(), options_.runtime.context, warning);
}

Result<void> Chat::warn_of_small_context() const {
  std::string warning;
  DS4_TRY([[maybe_unused]] const EffortLevel* level, effort(warning));
  if (!warning.empty()) say(warning);
  return {};
}

Result<void> Chat::try_turn(const std::string& message) {
  if (!session_.is_open()) {
    return fail(Errc::invalid_argument, "no session is open; choose a size with /ctx N");
  }
  std::string warning;
  DS4_TRY(const EffortLevel* level, effort(warning));
  TokenPrompt prompt;
  DS4_TRY(prompt.tokens, conversation_.prompt(message, *level));
  prompt.scans_tags = level->thinking;
  prompt.opens_thinking = level->thinking;
  // The same seed would draw the same numbers for every turn of a chat.
  RunOptions options = options_;
  options.sampling.params.seed += answers_;
  if (options.sampling.params.seed == 0) options.sampling.params.seed = 1;
  DS4_TRY(const Answer result, answer(console_, options, session_.model(), session_.tokenizer(),
                                      prompt, trace_ ? &*trace_ : nullptr));
  ++answers_;
  const Generated& generated = result.generated;
  if (!options_.hides_timing) console_.write_error(timing_lines(generated));
  if (generated.finish == Finish::interrupted) status_ = cli::kInterrupted;
  if (generated.finish == Finish::context) {
    console_.note("the context of " + std::to_string(session_.model().context()) +
                  " tokens is full; /ctx N makes it larger, /clear starts again");
  }
  if (generated.tokens.empty() && generated.finish == Finish::interrupted) return {};
  return conversation_.append(message, *level, generated.tokens);
}

void Chat::turn(const std::string& message) {
  status_ = cli::kSuccess;
  cli::InterruptGuard::clear();
  if (auto done = try_turn(message); !done) {
    Error error = done.error();
    const bool is_full = session_.is_open() && error.code == Errc::invalid_argument &&
                         error.what.starts_with("the prompt has");
    if (is_full) error.what += "; /ctx N makes it larger, /clear starts again";
    complain(error);
  }
}

void Chat::complain(const Error& error) {
  console_.error(error.what);
  status_ = cli::exit_code(error.code);
}

void Chat::say(const std::string& line) const {
  console_.note(line);
}

Result<cli::ExitCode> run_chat(const cli::Console& console, const RunOptions& options,
                               Session& session, const std::filesystem::path& home) {
  DS4_TRY(Chat chat, Chat::make(console, options, session));
  DS4_CHECK(chat.warn_of_small_context());
  if (!console.stdin_is_terminal()) {
    const cli::InterruptGuard interrupts(cli::SecondInterrupt::kills);
    chat_on_lines(chat);
    return cli::InterruptGuard::raised() ? cli::kInterrupted : chat.status();
  }
  const cli::InterruptGuard interrupts(cli::SecondInterrupt::ignored);
  chat_on_terminal(console, chat, home);
  return session.has_finding() ? cli::kFailure : cli::kSuccess;
}

}  // namespace ds4::run
