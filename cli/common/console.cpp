#include "common/console.hpp"

#include <unistd.h>

#include <utility>

namespace ds4::cli {
namespace {

bool wants_color(ColorMode mode, bool no_color, bool is_terminal) {
  if (mode == ColorMode::always) return true;
  return mode == ColorMode::automatic && !no_color && is_terminal;
}

}  // namespace

Console::Console(std::string program, ColorMode color, bool no_color)
    : program_(std::move(program)),
      in_terminal_(::isatty(STDIN_FILENO) == 1),
      out_terminal_(::isatty(STDOUT_FILENO) == 1),
      err_terminal_(::isatty(STDERR_FILENO) == 1),
      out_color_(wants_color(color, no_color, out_terminal_)),
      err_color_(wants_color(color, no_color, err_terminal_)) {}

void Console::error(std::string_view message) const {
  std::string line = program_ + ": ";
  line.append(message).push_back('\n');
  write_error(line);
}

void Console::note(std::string_view line) const {
  std::string text(line);
  text.push_back('\n');
  write_error(text);
}

void Console::loud(std::string_view line) const {
  std::string text = err_color_ ? "\x1b[1m" : "";
  text.append(line).append(err_color_ ? "\x1b[0m\n" : "\n");
  write_error(text);
}

bool Console::write(std::string_view bytes) const {
  const bool taken = std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size();
  return std::fflush(stdout) == 0 && taken;
}

void Console::write_error(std::string_view bytes) const {
  // A message that stderr does not take has nowhere else to go.
  (void)std::fwrite(bytes.data(), 1, bytes.size(), stderr);
  (void)std::fflush(stderr);
}

}  // namespace ds4::cli
