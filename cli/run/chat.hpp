#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "common/exit_code.hpp"
#include "run/conversation.hpp"
#include "run/session.hpp"
#include "run/trace.hpp"

namespace ds4::run {

/// A conversation with commands. Lines come from the caller; see run_chat().
///
/// A turn is tried first and kept only when it produced something: a failed or interrupted prefill,
/// and an answer interrupted before its first token, leave the transcript as it was. An answer that
/// was cut short is kept and closed.
class Chat {
 public:
  /// Errors: unsupported (no chat tokens), those of the prefix and trace files.
  static Result<Chat> make(const cli::Console& console, RunOptions options, Session& session);

  /// Takes a message or a command. False when the chat is to end.
  bool take(const std::string& line);
  /// Says so when the thinking asked for needs a larger context than there is.
  Result<void> warn_of_small_context() const;
  /// The status of the last turn.
  [[nodiscard]] cli::ExitCode status() const noexcept { return status_; }

 private:
  Chat(const cli::Console& console, RunOptions options, Session& session, Conversation conversation,
       std::optional<Trace> trace);

  void turn(const std::string& message);
  Result<void> try_turn(const std::string& message);
  bool command(const std::string& name, const std::string& argument);
  void set_think(ThinkMode mode);
  void set_context(const std::string& argument);
  void read_message(const std::string& path);
  void set_value(const std::string& argument);
  void show_status() const;
  void retry();
  void undo();
  void save(const std::string& path);
  void load(const std::string& path);
  void say(const std::string& line) const;
  void complain(const Error& error);
  [[nodiscard]] Result<const EffortLevel*> effort(std::string& warning) const;

  const cli::Console& console_;
  RunOptions options_;
  Session& session_;
  Conversation conversation_;
  std::optional<Trace> trace_;
  std::uint32_t answers_ = 0;
  cli::ExitCode status_ = cli::kSuccess;
};

/// Chats until the input ends: with the line editor on a terminal, else (--chat) one line a turn.
Result<cli::ExitCode> run_chat(const cli::Console& console, const RunOptions& options,
                               Session& session, const std::filesystem::path& home);

}  // namespace ds4::run
