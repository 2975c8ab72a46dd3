#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace ds4::cli {

enum class ColorMode { automatic, always, never };

/// The streams of a program: results go to stdout, everything else to stderr.
///
/// Nothing is coloured or rewritten on a stream that is not a terminal, unless colour was asked for
/// by name; NO_COLOR turns it off.
class Console {
 public:
  Console(std::string program, ColorMode color, bool no_color);

  [[nodiscard]] const std::string& program() const noexcept { return program_; }
  [[nodiscard]] bool stdin_is_terminal() const noexcept { return in_terminal_; }
  [[nodiscard]] bool stdout_is_terminal() const noexcept { return out_terminal_; }
  [[nodiscard]] bool stderr_is_terminal() const noexcept { return err_terminal_; }
  [[nodiscard]] bool colors_stdout() const noexcept { return out_color_; }
  [[nodiscard]] bool colors_stderr() const noexcept { return err_color_; }

  /// "PROGRAM: message" on stderr.
  void error(std::string_view message) const;
  /// A line on stderr.
  void note(std::string_view line) const;
  /// A warning that is meant to be seen: bold on a terminal.
  void loud(std::string_view line) const;
  /// Bytes to stdout, at once. False when stdout does not take them.
  [[nodiscard]] bool write(std::string_view bytes) const;
  /// Bytes to stderr as they are, at once.
  void write_error(std::string_view bytes) const;

 private:
  std::string program_;
  bool in_terminal_;
  bool out_terminal_;
  bool err_terminal_;
  bool out_color_;
  bool err_color_;
};

}  // namespace ds4::cli
