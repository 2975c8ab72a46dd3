#include "loader/process_state.hpp"

#include <chrono>
#include <clocale>
#include <filesystem>
#include <system_error>
#include <thread>

namespace ds4::plugins {
namespace {

namespace fs = std::filesystem;

std::string current_directory() {
  std::error_code code;
  const fs::path path = fs::read_symlink("/proc/self/cwd", code);
  return code ? std::string() : path.string();
}

std::string current_locale() {
  const char* name = std::setlocale(LC_ALL, nullptr);
  return name != nullptr ? name : "";
}

unsigned count_threads() {
  std::error_code code;
  unsigned count = 0;
  for (fs::directory_iterator at("/proc/self/task", code), end; !code && at != end;
       at.increment(code)) {
    ++count;
  }
  return count;
}

sigset_t blocked_signals() {
  sigset_t set{};
  ::sigemptyset(&set);
  ::pthread_sigmask(SIG_BLOCK, nullptr, &set);
  return set;
}

bool same_signals(const sigset_t& a, const sigset_t& b) {
  for (int signal = 1; signal < NSIG; ++signal) {
    if (::sigismember(&a, signal) != ::sigismember(&b, signal)) return false;
  }
  return true;
}

}  // namespace

ProcessState::ProcessState()
    : directory_(current_directory()),
      locale_(current_locale()),
      blocked_(blocked_signals()),
      threads_(count_threads()) {}

std::optional<std::string> ProcessState::left_behind(bool counts_threads) const {
  unsigned threads = count_threads();
  // A thread that was joined leaves the list a moment after the join.
  for (int i = 0; counts_threads && threads > threads_ && i < 100; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    threads = count_threads();
  }
  if (counts_threads && threads > threads_) {
    return "left " + std::to_string(threads - threads_) +
           (threads == threads_ + 1 ? " thread" : " threads") +
           " running behind its entry; threads begin in device_open";
  }
  const std::string directory = current_directory();
  if (directory != directory_) return "changed the working directory to " + directory;
  if (current_locale() != locale_) return "changed the locale to " + current_locale();
  if (!same_signals(blocked_signals(), blocked_)) return std::string("changed the signal mask");
  return std::nullopt;
}

}  // namespace ds4::plugins
