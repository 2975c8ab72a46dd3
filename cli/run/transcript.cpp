#include <string>
#include <utility>
#include <vector>

#include "common/numbers.hpp"
#include "run/conversation.hpp"

namespace ds4::run {
namespace {

constexpr std::string_view kFirstLine = "ds4-transcript 1";

struct Part {
  std::string_view kind;
  std::string_view bytes;
};

void append_part(std::string& out, std::string_view kind, std::string_view bytes) {
  out.append(kind).append(" ").append(std::to_string(bytes.size())).append("\n");
  out.append(bytes).append("\n");
}

// Takes one line off `text`; nothing at its end.
bool take_line(std::string_view& text, std::string_view& line) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return false;
  line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return true;
}

Result<std::vector<Part>> parse_parts(std::string_view text) {
  std::string_view line;
  if (!take_line(text, line) || line != kFirstLine) {
    return fail(Errc::invalid_argument, "the first line is not '", kFirstLine, "'");
  }
  std::vector<Part> parts;
  while (take_line(text, line)) {
    const std::size_t space = line.find(' ');
    const std::string where = "part " + std::to_string(parts.size() + 1);
    if (space == std::string_view::npos) {
      return fail(Errc::invalid_argument, where, ": expected KIND BYTES, got '", line, "'");
    }
    const auto size = cli::parse_integer(line.substr(space + 1), 0, cli::kMaxInteger);
    if (!size) return size.error().in(where);
    if (text.size() < *size + 1 || text[*size] != '\n') {
      return fail(Errc::invalid_argument, where, ": expected ", *size,
                  " bytes and a line end, there are ", text.size());
    }
    parts.push_back({line.substr(0, space), text.substr(0, *size)});
    text.remove_prefix(*size + 1);
  }
  if (!text.empty()) return fail(Errc::invalid_argument, "the last line has no end");
  return parts;
}

}  // namespace

std::string transcript_text(const Conversation& conversation) {
  std::string out(kFirstLine);
  out.push_back('\n');
  append_part(out, "system", conversation.system());
  for (const Turn& turn : conversation.turns()) {
    append_part(out, "user", turn.user);
    append_part(out, turn.opens_thinking ? "thinking-answer" : "answer", turn.answer);
  }
  return out;
}

Result<void> load_transcript(std::string_view text, Conversation& conversation) {
  DS4_TRY(std::vector<Part> parts, parse_parts(text));
  Conversation loaded = conversation;
  loaded.clear();
  std::size_t at = 0;
  if (at < parts.size() && parts[at].kind == "system") {
    loaded.set_system(std::string(parts[at++].bytes));
  }
  for (; at < parts.size(); at += 2) {
    const bool has_answer = at + 1 < parts.size();
    const bool thinks = has_answer && parts[at + 1].kind == "thinking-answer";
    if (parts[at].kind != "user" || !(thinks || (has_answer && parts[at + 1].kind == "answer"))) {
      return fail(Errc::invalid_argument, "part ", at + 1, ": expected a user and then an answer");
    }
    DS4_CHECK(loaded.append_text(parts[at].bytes, thinks, parts[at + 1].bytes));
  }
  conversation = std::move(loaded);
  return {};
}

}  // namespace ds4::run
