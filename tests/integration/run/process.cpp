#include "tests/integration/run/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

namespace ds4::test {
namespace {

// Only what may be called between fork and exec.
[[noreturn]] void execute(const std::vector<char*>& command,
                          const std::vector<char*>& environment) {
  for (char* const entry : environment) (void)::putenv(entry);
  // A shell that runs the tests in the background ignores SIGINT, and children would inherit that.
  (void)std::signal(SIGINT, SIG_DFL);
  ::execv(command.front(), command.data());
  ::_exit(127);
}

std::vector<char*> pointers(const std::vector<std::string>& texts, bool terminated) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  if (terminated) out.push_back(nullptr);
  return out;
}

int exit_status(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

struct Pipes {
  pid_t pid = -1;
  int in = -1;
  int out = -1;
  int err = -1;
};

Pipes start(const std::vector<std::string>& command, const std::vector<std::string>& environment) {
  std::array<std::array<int, 2>, 3> ends{};
  for (auto& pair : ends) {
    if (::pipe2(pair.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  }
  const std::vector<char*> arguments = pointers(command, true);
  const std::vector<char*> variables = pointers(environment, false);
  const pid_t pid = ::fork();
  if (pid == 0) {
    (void)::dup2(ends[0][0], 0);
    (void)::dup2(ends[1][1], 1);
    (void)::dup2(ends[2][1], 2);
    execute(arguments, variables);
  }
  ::close(ends[0][0]);
  ::close(ends[1][1]);
  ::close(ends[2][1]);
  return {pid, ends[0][1], ends[1][0], ends[2][0]};
}

// Reads both outputs to their ends; `signal_at` is looked for in the second.
Finished collect(const Pipes& pipes, bool interrupts) {
  Finished out;
  std::array<pollfd, 2> polled = {{{pipes.out, POLLIN, 0}, {pipes.err, POLLIN, 0}}};
  bool waits_for_text = interrupts;
  while (polled[0].fd >= 0 || polled[1].fd >= 0) {
    if (::poll(polled.data(), polled.size(), -1) < 0) break;
    for (std::size_t i = 0; i < polled.size(); ++i) {
      if (polled[i].fd < 0 || polled[i].revents == 0) continue;
      std::array<char, 4096> buffer{};
      const ssize_t count = ::read(polled[i].fd, buffer.data(), buffer.size());
      if (count <= 0) {
        polled[i].fd = -1;
        continue;
      }
      (i == 0 ? out.out : out.err).append(buffer.data(), static_cast<std::size_t>(count));
    }
    if (waits_for_text && !out.out.empty()) {
      waits_for_text = false;
      (void)::kill(pipes.pid, SIGINT);
    }
  }
  ::close(pipes.out);
  ::close(pipes.err);
  int status = 0;
  struct rusage used {};
  (void)::wait4(pipes.pid, &status, 0, &used);
  out.status = exit_status(status);
  out.peak_bytes = static_cast<std::uint64_t>(used.ru_maxrss) * 1024;
  for (const timeval& time : {used.ru_utime, used.ru_stime}) {
    out.cpu_seconds += static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  }
  return out;
}

}  // namespace

Finished run_process(const std::vector<std::string>& command, const std::string& input,
                     const std::vector<std::string>& environment) {
  (void)std::signal(SIGPIPE, SIG_IGN);
  const Pipes pipes = start(command, environment);
  // Inputs of tests fit the buffer of a pipe, so this does not wait for the reader.
  if (::write(pipes.in, input.data(), input.size()) != static_cast<ssize_t>(input.size())) {
    throw std::runtime_error("the program does not take its input");
  }
  ::close(pipes.in);
  return collect(pipes, false);
}

Finished interrupt_process(const std::vector<std::string>& command) {
  const Pipes pipes = start(command, {});
  ::close(pipes.in);
  return collect(pipes, true);
}

TerminalProcess::TerminalProcess(const std::vector<std::string>& command,
                                 const std::vector<std::string>& environment) {
  const std::vector<char*> arguments = pointers(command, true);
  const std::vector<char*> variables = pointers(environment, false);
  winsize size{};
  size.ws_row = 40;
  size.ws_col = 200;
  pid_ = ::forkpty(&terminal_, nullptr, nullptr, &size);
  if (pid_ < 0) throw std::runtime_error("no pseudo terminal");
  if (pid_ == 0) execute(arguments, variables);
}

TerminalProcess::~TerminalProcess() {
  if (pid_ > 0) {
    (void)::kill(pid_, SIGKILL);
    (void)::waitpid(pid_, nullptr, 0);
  }
  ::close(terminal_);
}

void TerminalProcess::type(const std::string& bytes) const {
  if (::write(terminal_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("the terminal does not take input");
  }
}

bool TerminalProcess::read_some(int timeout_ms) {
  pollfd polled{terminal_, POLLIN, 0};
  if (::poll(&polled, 1, timeout_ms) <= 0) return true;
  std::array<char, 4096> buffer{};
  const ssize_t count = ::read(terminal_, buffer.data(), buffer.size());
  if (count <= 0) return false;
  output_.append(buffer.data(), static_cast<std::size_t>(count));
  return true;
}

bool TerminalProcess::wait_for(const std::string& text, std::chrono::seconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (std::chrono::steady_clock::now() < end) {
    if (const std::size_t at = output_.find(text, seen_); at != std::string::npos) {
      seen_ = at + text.size();
      return true;
    }
    if (!read_some(100)) break;
  }
  return output_.find(text, seen_) != std::string::npos;
}

bool TerminalProcess::wait_for_prompt() {
  if (!wait_for("ds4> ")) return false;
  constexpr auto kSettled = std::chrono::milliseconds(300);
  for (auto end = std::chrono::steady_clock::now() + kSettled;
       std::chrono::steady_clock::now() < end;) {
    if (!read_some(100)) break;
  }
  return true;
}

int TerminalProcess::finish() {
  while (read_some(1000)) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      return exit_status(status);
    }
  }
  int status = 0;
  (void)::waitpid(pid_, &status, 0);
  pid_ = -1;
  return exit_status(status);
}

}  // namespace ds4::test
