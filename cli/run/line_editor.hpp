#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "common/console.hpp"

namespace ds4::run {

/// Reads messages from a terminal: Emacs keys, history, Ctrl+R, pasted blocks as one message.
///
/// A backslash at the end of a line and Alt+Enter go on to another line of the same message.
class LineEditor {
 public:
  struct Line {
    enum class Kind {
      text,
      abandoned,  ///< Ctrl+C
      end,        ///< Ctrl+D on an empty line
    };
    Kind kind = Kind::text;
    std::string text;
  };

  /// history: loaded now and saved after each entry, at most 512 entries.
  LineEditor(const cli::Console& console, std::filesystem::path history);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  Line read(const std::string& prompt);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Line ends of a pasted block as a message has them: CR LF and CR become LF.
[[nodiscard]] std::wstring pasted_text(const std::wstring& raw);

}  // namespace ds4::run
