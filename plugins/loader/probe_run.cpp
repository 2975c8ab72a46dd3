// The parent side of a probe: starts the program again, reads its answer, turns an end without one
// into a reason.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <thread>
#include <utility>

#include "loader/probe.hpp"

extern char** environ;

namespace ds4::plugins {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostAnswerBytes = 256 * 1024;

ProbeReport refused(std::string text) {
  ProbeReport out;
  out.refusal = Refusal{Reason::probe, std::move(text)};
  return out;
}

class Descriptor {
 public:
  explicit Descriptor(int value) noexcept : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }
  void close() noexcept {
    if (value_ >= 0) ::close(std::exchange(value_, -1));
  }
  [[nodiscard]] int get() const noexcept { return value_; }

 private:
  int value_;
};

/// Starts the program with its output on `answer`. Errors as errno; 0 is success.
int start(const std::filesystem::path& program, const std::filesystem::path& file,
          const std::string& name, int answer, pid_t& child) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  if (const int error = ::posix_spawn_file_actions_init(&actions); error != 0) return error;
  if (const int error = ::posix_spawnattr_init(&attributes); error != 0) {
    ::posix_spawn_file_actions_destroy(&actions);
    return error;
  }
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, answer, STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  std::string program_text = program.string();
  std::string verb(kProbeVerb);
  std::string file_text = file.string();
  std::string name_text = name;
  char* arguments[] = {program_text.data(), verb.data(), file_text.data(), name_text.data(),
                       nullptr};
  const int error =
      ::posix_spawn(&child, program_text.c_str(), &actions, &attributes, arguments, environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  return error;
}

/// Reads up to the end of the stream. False when the time is over.
bool read_answer(int descriptor, Clock::time_point deadline, std::string& out) {
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    pollfd wanted{descriptor, POLLIN, 0};
    const int ready = ::poll(&wanted, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    char block[4096];
    const ssize_t got = ::read(descriptor, block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    if (out.size() < kMostAnswerBytes) out.append(block, static_cast<std::size_t>(got));
  }
}

enum class Ending { exited, killed, unknown, late };

/// Waits for the child until the deadline, then ends it. `detail` is its status or signal.
Ending reap(pid_t child, Clock::time_point deadline, int& detail) {
  int status = 0;
  while (true) {
    const pid_t got = ::waitpid(child, &status, WNOHANG);
    if (got < 0 && errno != EINTR) return Ending::unknown;
    if (got == child) break;
    if (Clock::now() >= deadline) {
      ::kill(child, SIGKILL);
      while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
      }
      return Ending::late;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (WIFSIGNALED(status)) {
    detail = WTERMSIG(status);
    return Ending::killed;
  }
  detail = WEXITSTATUS(status);
  return Ending::exited;
}

std::string signal_name(int number) {
  const char* name = ::sigabbrev_np(number);
  return name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(number);
}

ProbeReport judge(Ending ending, int detail, const std::string& answer,
                  std::chrono::milliseconds limit) {
  constexpr const char* kAdvice =
      "; the file is damaged or its start-up code fails: install it again";
  if (ending == Ending::late) {
    return refused("did not finish opening within " + std::to_string(limit.count()) + " ms" +
                   kAdvice);
  }
  if (ending == Ending::killed) {
    return refused("opening it in a process of its own was killed by " + signal_name(detail) +
                   kAdvice);
  }
  if (auto report = probe_from_json(answer)) return *report;
  return refused("opening it in a process of its own ended with status " + std::to_string(detail) +
                 " and without an answer" + kAdvice);
}

}  // namespace

ProbeReport run_probe(const std::filesystem::path& program, const std::filesystem::path& file,
                      const std::string& name, std::chrono::milliseconds limit) {
  try {
    const Clock::time_point deadline = Clock::now() + limit;
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
      return refused(std::string("cannot be probed: ") + std::strerror(errno));
    }
    Descriptor from(ends[0]);
    Descriptor to(ends[1]);
    pid_t child = 0;
    if (const int error = start(program, file, name, to.get(), child); error != 0) {
      return refused("cannot be probed: " + program.string() + ": " + std::strerror(error));
    }
    to.close();
    std::string answer;
    int detail = 0;
    const bool in_time = read_answer(from.get(), deadline, answer);
    const Ending ending = reap(child, in_time ? deadline : Clock::now(), detail);
    return judge(ending, detail, answer, limit);
  } catch (const std::exception& error) {
    return refused(std::string("cannot be probed: ") + error.what());
  }
}

}  // namespace ds4::plugins
