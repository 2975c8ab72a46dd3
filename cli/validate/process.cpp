#include "validate/process.hpp"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <clocale>
#include <filesystem>
#include <fstream>

#include "wrap/fp_control.hpp"

extern char** environ;

namespace ds4::validate {
namespace {

std::uint64_t status_number(std::string_view key) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    std::uint64_t value = 0;
    for (const char c : line) {
      if (c >= '0' && c <= '9') value = 10 * value + static_cast<std::uint64_t>(c - '0');
    }
    return value;
  }
  return 0;
}

}  // namespace

Holdings holdings() {
  Holdings result;
  result.threads = status_number("Threads:");
  std::error_code error;
  for (std::filesystem::directory_iterator at("/proc/self/fd", error), end; !error && at != end;
       at.increment(error)) {
    ++result.descriptors;
  }
  if (counts_allocations()) {
#if defined(__GLIBC__)
    (void)malloc_trim(0);  // gives back what is free, and merges it: counts depend less on history
    const struct mallinfo2 info = mallinfo2();
    result.heap_bytes = info.uordblks + info.hblkhd;
#endif
  }
  return result;
}

ThreadState thread_state() {
  ThreadState state;
  state.fp_control = plugins::read_fp_control();
  sigset_t mask;
  sigemptyset(&mask);
  (void)pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  for (int signal = 1; signal < 64; ++signal) {
    if (sigismember(&mask, signal) == 1) state.signal_mask |= 1ULL << signal;
  }
  std::error_code error;
  state.directory = std::filesystem::current_path(error).string();
  if (const char* locale = std::setlocale(LC_ALL, nullptr)) state.locale = locale;
  state.environment = 0xcbf29ce484222325ULL;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    for (const char* c = *entry; *c != '\0'; ++c) {
      state.environment = (state.environment ^ static_cast<unsigned char>(*c)) * 0x100000001b3ULL;
    }
  }
  return state;
}

std::string difference(const ThreadState& before, const ThreadState& after) {
  std::string text;
  const auto note = [&text](bool differs, const char* what) {
    if (differs) text += (text.empty() ? "" : ", ") + std::string(what);
  };
  note(before.fp_control != after.fp_control, "floating-point control");
  note(before.signal_mask != after.signal_mask, "signal mask");
  note(before.directory != after.directory, "working directory");
  note(before.locale != after.locale, "locale");
  note(before.environment != after.environment, "environment");
  return text;
}

void restore(const ThreadState& state) {
  plugins::write_fp_control(state.fp_control);
  sigset_t mask;
  sigemptyset(&mask);
  for (int signal = 1; signal < 64; ++signal) {
    if ((state.signal_mask >> signal & 1) != 0) sigaddset(&mask, signal);
  }
  (void)pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  std::error_code error;
  if (!state.directory.empty()) std::filesystem::current_path(state.directory, error);
  (void)std::setlocale(LC_ALL, state.locale.c_str());
}

std::uint64_t peak_resident_bytes() {
  return status_number("VmHWM:") * 1024;
}

}  // namespace ds4::validate
