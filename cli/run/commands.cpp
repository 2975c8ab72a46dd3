#include <sstream>

#include "common/files.hpp"
#include "common/numbers.hpp"
#include "common/output_file.hpp"
#include "run/chat.hpp"
#include "run/prompt.hpp"

namespace ds4::run {

bool Chat::command(const std::string& name, const std::string& argument) {
  const bool needs_file = name == "/read" || name == "/save" || name == "/load";
  if (needs_file && argument.empty()) {
    complain(fail(Errc::invalid_argument, name, " needs a file name"));
    return true;
  }
  if (name == "/quit" || name == "/exit") return false;
  if (name == "/help") {
    console_.write_error(chat_help());
  } else if (name == "/think") {
    set_think(ThinkMode::high);
  } else if (name == "/think-max") {
    set_think(ThinkMode::max);
  } else if (name == "/nothink") {
    set_think(ThinkMode::none);
  } else if (name == "/ctx") {
    set_context(argument);
  } else if (name == "/read") {
    read_message(argument);
  } else if (name == "/set") {
    set_value(argument);
  } else if (name == "/status") {
    show_status();
  } else if (name == "/retry") {
    retry();
  } else if (name == "/undo") {
    undo();
  } else if (name == "/clear") {
    conversation_.clear();
    say("a new conversation");
  } else if (name == "/save") {
    save(argument);
  } else if (name == "/load") {
    load(argument);
  } else {
    complain(fail(Errc::invalid_argument, "there is no command ", name,
                  "; /help lists them, // sends a message that begins with a slash"));
  }
  return true;
}

void Chat::set_think(ThinkMode mode) {
  options_.think_given = mode;
  std::string warning;
  const auto level = effort(warning);
  if (!level) return complain(level.error());
  if (!warning.empty()) say(warning);
  say("thinking: " + std::string((*level)->name));
}

void Chat::set_context(const std::string& argument) {
  const auto count = cli::parse_integer(argument, 1, cli::kMaxInteger);
  if (!count) return complain(count.error().in("/ctx"));
  const std::uint32_t before = options_.runtime.context;
  options_.runtime.context = static_cast<std::uint32_t>(*count);
  auto done = session_.resize(console_, options_);
  if (done) return;
  complain(done.error().in("/ctx ", *count));
  options_.runtime.context = before;
  if (auto back = session_.resize(console_, options_); !back) {
    complain(back.error().in("back to /ctx ", before));
  }
}

void Chat::read_message(const std::string& path) {
  const auto text = cli::read_file(path);
  if (!text) return complain(text.error());
  turn(*text);
}

void Chat::set_value(const std::string& argument) {
  std::istringstream words(argument);
  std::string key;
  std::string value;
  words >> key >> value;
  const auto done = key == "tokens"
                        ? cli::store_integer(options_.tokens, 1, cli::kMaxInteger)(value)
                        : cli::set_sampling(options_.sampling, key, value);
  if (!done) return complain(done.error().in("/set ", key));
  say(cli::describe(options_.sampling) + ", tokens " + std::to_string(options_.tokens));
}

void Chat::show_status() const {
  std::string warning;
  const auto level = effort(warning);
  std::size_t used = conversation_.turn_tokens();
  if (const auto prompt = level ? conversation_.prompt("", **level) : level.error(); prompt) {
    used = prompt->size();
  }
  say("model: " + session_.path() + ", backend " + session_.backend());
  say("context: " + std::to_string(used) + " of " + std::to_string(options_.runtime.context) +
      " tokens, " + std::to_string(conversation_.turns().size()) + " turns");
  say("thinking: " + std::string(level ? (*level)->name : "unknown"));
  say("sampling: " + cli::describe(options_.sampling) + ", tokens " +
      std::to_string(options_.tokens));
}

void Chat::retry() {
  if (conversation_.turns().empty()) {
    return complain(fail(Errc::invalid_argument, "there is no answer to make again"));
  }
  const Turn last = conversation_.turns().back();
  const Conversation before = conversation_;
  (void)conversation_.undo();
  const std::size_t left = conversation_.turns().size();
  turn(last.user);
  // Nothing came of it: the old answer is better than none.
  if (conversation_.turns().size() == left) conversation_ = before;
}

void Chat::undo() {
  if (!conversation_.undo()) {
    return complain(fail(Errc::invalid_argument, "there is no turn to drop"));
  }
  say("dropped; " + std::to_string(conversation_.turns().size()) + " turns are left");
}

void Chat::save(const std::string& path) {
  auto file = cli::OutputFile::open(path);
  if (!file) return complain(file.error());
  if (const auto done = file->commit(transcript_text(conversation_)); !done) {
    return complain(done.error());
  }
  say("saved " + std::to_string(conversation_.turns().size()) + " turns to " + path);
}

void Chat::load(const std::string& path) {
  const auto text = cli::read_file(path);
  if (!text) return complain(text.error());
  if (const auto done = load_transcript(*text, conversation_); !done) {
    return complain(done.error().in(path));
  }
  say("loaded " + std::to_string(conversation_.turns().size()) + " turns");
}

}  // namespace ds4::run
