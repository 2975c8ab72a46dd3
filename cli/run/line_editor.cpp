#include "run/line_editor.hpp"

#include <histedit.h>

#include <clocale>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#if defined(DS4_SANITIZED)
// libedit never frees the names of functions that a program adds to it (3.1).
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:wcsdup\n";
}
#endif

namespace ds4::run {
namespace {

constexpr int kHistoryEntries = 512;
constexpr std::string_view kPasteOn = "\x1b[?2004h";
constexpr std::string_view kPasteOff = "\x1b[?2004l";
constexpr std::wstring_view kPasteEnd = L"\x1b[201~";

// The editor converts between bytes and characters, for which a UTF-8 locale must be set.
void set_utf8_locale() {
  const char* const locale = std::setlocale(LC_CTYPE, "");
  const bool is_utf8 = locale != nullptr && std::strstr(locale, "UTF-8") != nullptr;
  if (!is_utf8) (void)std::setlocale(LC_CTYPE, "C.UTF-8");
}

}  // namespace

std::wstring pasted_text(const std::wstring& raw) {
  std::wstring out;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != L'\r') {
      out.push_back(raw[i]);
    } else if (i + 1 == raw.size() || raw[i + 1] != L'\n') {
      out.push_back(L'\n');
    }
  }
  return out;
}

struct LineEditor::State {
  const cli::Console* console = nullptr;
  std::filesystem::path history_file;
  std::string prompt;
  EditLine* editor = nullptr;
  History* history = nullptr;
  bool abandoned = false;

  static State& of(EditLine* editor) {
    void* self = nullptr;
    (void)el_get(editor, EL_CLIENTDATA, &self);
    return *static_cast<State*>(self);
  }
  static const char* show_prompt(EditLine* editor) { return of(editor).prompt.c_str(); }

  static unsigned char insert_line_end(EditLine* editor, int) {
    return el_winsertstr(editor, L"\n") == 0 ? CC_REFRESH : CC_ERROR;
  }
  static unsigned char abandon(EditLine* editor, int) {
    of(editor).abandoned = true;
    return CC_NEWLINE;
  }
  // Everything up to the end marker is text, line ends too.
  static unsigned char take_paste(EditLine* editor, int) {
    std::wstring raw;
    wchar_t c = 0;
    while (el_wgetc(editor, &c) == 1) {
      raw.push_back(c);
      if (raw.ends_with(kPasteEnd)) {
        raw.resize(raw.size() - kPasteEnd.size());
        break;
      }
    }
    const std::wstring text = pasted_text(raw);
    if (text.empty()) return CC_REFRESH;
    return el_winsertstr(editor, text.c_str()) == 0 ? CC_REFRESH : CC_ERROR;
  }

  void bind_keys() const {
    (void)el_set(editor, EL_EDITOR, "emacs");
    (void)el_set(editor, EL_ADDFN, "ds4-paste", "insert a pasted block", take_paste);
    (void)el_set(editor, EL_ADDFN, "ds4-line-end", "start another line", insert_line_end);
    (void)el_set(editor, EL_ADDFN, "ds4-abandon", "drop the line", abandon);
    (void)el_set(editor, EL_BIND, "\x1b[200~", "ds4-paste", nullptr);
    (void)el_set(editor, EL_BIND, "\x1b\r", "ds4-line-end", nullptr);
    (void)el_set(editor, EL_BIND, "\x1b\n", "ds4-line-end", nullptr);
    (void)el_set(editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    // Ctrl+C reaches the editor as a key: a signal would not tell it to drop the line.
    (void)el_set(editor, EL_SETTY, "-d", "-isig", nullptr);
    (void)el_set(editor, EL_BIND, "^C", "ds4-abandon", nullptr);
  }

  // One line as the editor gives it, without its end; nothing at the end of input.
  std::optional<std::string> edit(const std::string& shown) {
    prompt = shown;
    int count = 0;
    const char* const line = el_gets(editor, &count);
    if (line == nullptr || count <= 0) return std::nullopt;
    std::string text(line, static_cast<std::size_t>(count));
    if (text.ends_with('\n')) text.pop_back();
    return text;
  }

  void remember(const std::string& text) const {
    HistEvent event{};
    (void)::history(history, &event, H_ENTER, text.c_str());
    (void)::history(history, &event, H_SAVE, history_file.c_str());
  }
};

LineEditor::LineEditor(const cli::Console& console, std::filesystem::path history)
    : state_(std::make_unique<State>()) {
  set_utf8_locale();
  State& state = *state_;
  state.console = &console;
  state.history_file = std::move(history);
  std::FILE* const out = console.stdout_is_terminal() ? stdout : stderr;
  state.editor = el_init(console.program().c_str(), stdin, out, stderr);
  (void)el_set(state.editor, EL_CLIENTDATA, &state);
  (void)el_set(state.editor, EL_PROMPT, State::show_prompt);
  state.history = history_init();
  HistEvent event{};
  (void)::history(state.history, &event, H_SETSIZE, kHistoryEntries);
  (void)::history(state.history, &event, H_SETUNIQUE, 1);
  (void)::history(state.history, &event, H_LOAD, state.history_file.c_str());
  (void)el_set(state.editor, EL_HIST, ::history, state.history);
  state.bind_keys();
}

LineEditor::~LineEditor() {
  el_end(state_->editor);
  history_end(state_->history);
}

LineEditor::Line LineEditor::read(const std::string& prompt) {
  State& state = *state_;
  std::FILE* const out = state.console->stdout_is_terminal() ? stdout : stderr;
  const auto send = [out](std::string_view bytes) {
    (void)std::fwrite(bytes.data(), 1, bytes.size(), out);
    (void)std::fflush(out);
  };
  el_resize(state.editor);
  state.abandoned = false;
  send(kPasteOn);
  Line line;
  std::optional<std::string> part = state.edit(prompt);
  // The editor gives nothing for an empty line that Ctrl+C left, too.
  if (!part && !state.abandoned) line.kind = Line::Kind::end;
  while (part && !state.abandoned && part->ends_with('\\')) {
    part->back() = '\n';
    line.text += *part;
    part = state.edit("...> ");
  }
  send(kPasteOff);
  if (line.kind == Line::Kind::end) {
    send("\n");
    return line;
  }
  if (state.abandoned) return {Line::Kind::abandoned, ""};
  if (part) line.text += *part;
  if (!line.text.empty()) state.remember(line.text);
  return line;
}

}  // namespace ds4::run
