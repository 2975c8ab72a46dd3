#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace ds4::test {

struct Finished {
  int status = -1;  ///< exit status, or 128 + the signal that ended it
  std::string out;
  std::string err;
  std::uint64_t peak_bytes = 0;  ///< most memory that was resident at once (VmHWM)
  double cpu_seconds = 0;        ///< of all its threads; a busy machine does not change it much
};

/// Runs a program to its end with `input` as standard input; `environment` is added to ours.
Finished run_process(const std::vector<std::string>& command, const std::string& input = "",
                     const std::vector<std::string>& environment = {});

/// A program on a pseudo terminal, for what only happens on one. Ends it when it goes.
class TerminalProcess {
 public:
  TerminalProcess(const std::vector<std::string>& command,
                  const std::vector<std::string>& environment);
  ~TerminalProcess();
  TerminalProcess(const TerminalProcess&) = delete;
  TerminalProcess& operator=(const TerminalProcess&) = delete;

  void type(const std::string& bytes) const;
  /// Reads until `text` shows up after what was waited for before; false after `limit`.
  bool wait_for(const std::string& text, std::chrono::seconds limit = std::chrono::seconds(60));
  /// Waits for a prompt and for the line editor behind it, which takes the keys a moment after it
  /// has shown the prompt: until then Ctrl+C still is a signal.
  bool wait_for_prompt();
  /// Waits for the end; the exit status.
  int finish();
  [[nodiscard]] const std::string& output() const { return output_; }

 private:
  bool read_some(int timeout_ms);
  pid_t pid_ = -1;
  int terminal_ = -1;
  std::string output_;
  std::size_t seen_ = 0;
};

/// Starts a program and sends SIGINT as soon as it has written to standard output.
Finished interrupt_process(const std::vector<std::string>& command);

}  // namespace ds4::test
