#include "common/option_table.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace ds4::cli {
namespace {

constexpr std::size_t kNameColumn = 30;

struct TopicName {
  Topic topic;
  std::string_view name;
  std::string_view title;
};
constexpr std::array<TopicName, 4> kTopics = {{
    {Topic::common, "common", "Common options"},
    {Topic::runtime, "runtime", "Runtime"},
    {Topic::sampling, "sampling", "Sampling"},
    {Topic::diagnostics, "diagnostics", "Diagnostics"},
}};

// The long name, as messages call an option.
std::string display_name(const std::string& names) {
  const std::size_t at = names.rfind("--");
  return at == std::string::npos ? names : names.substr(at);
}

std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  return text;
}

}  // namespace

OptionTable::OptionTable(std::string program, std::string summary)
    : program_(std::move(program)), summary_(std::move(summary)) {}

void OptionTable::value(std::string names, std::string value, Topic topic, std::string help,
                        Take take, Repeat repeat) {
  options_.push_back({Kind::value, std::move(names), std::move(value), topic, std::move(help),
                      std::move(take), repeat});
}

void OptionTable::optional_value(std::string names, std::string value, Topic topic,
                                 std::string help, Take take) {
  options_.push_back({Kind::optional_value, std::move(names), std::move(value), topic,
                      std::move(help), std::move(take), Repeat::last_counts});
}

void OptionTable::flag(std::string names, Topic topic, std::string help,
                       std::function<void()> take) {
  options_.push_back({Kind::flag, std::move(names), "", topic, std::move(help),
                      [take = std::move(take)](const std::string&) -> Result<void> {
                        take();
                        return {};
                      },
                      Repeat::last_counts});
}

void OptionTable::alias(std::string names, Topic topic, std::string help,
                        std::function<Result<void>()> take) {
  options_.push_back({Kind::flag, std::move(names), "", topic, std::move(help),
                      [take = std::move(take)](const std::string&) { return take(); },
                      Repeat::last_counts});
}

void OptionTable::unavailable(std::string names, std::string what) {
  options_.push_back({Kind::unavailable,
                      std::move(names),
                      "",
                      Topic::common,
                      std::move(what),
                      {},
                      Repeat::collected});
}

void OptionTable::text_topic(std::string name, std::string text) {
  texts_.push_back({std::move(name), std::move(text)});
}

Result<void> OptionTable::parse(const std::vector<std::string>& arguments) const {
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  std::vector<CLI::Option*> declared;
  for (const Option& option : options_) {
    CLI::Option* added = nullptr;
    if (option.kind == Kind::flag) {
      added = app.add_flag(option.names)->disable_flag_override();
    } else if (option.kind == Kind::unavailable) {
      // Any number of values is swallowed, so that the value is not reported instead.
      added = app.add_option(option.names)->expected(0, 1);
    } else if (option.kind == Kind::optional_value) {
      added = app.add_option(option.names)->expected(0, 1);
    } else {
      added = app.add_option(option.names)->expected(1);
    }
    if (option.repeat != Repeat::last_counts && option.kind == Kind::value) {
      added->allow_extra_args(false)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    } else if (option.repeat == Repeat::last_counts) {
      added->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
    declared.push_back(added);
  }
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    return fail(Errc::invalid_argument, one_line(error.what()));
  }
  for (std::size_t i = 0; i < options_.size(); ++i) {
    const Option& option = options_[i];
    if (declared[i]->count() == 0) continue;
    if (option.kind == Kind::unavailable) {
      return fail(Errc::invalid_argument, display_name(option.names),
                  ": this version does not have ", option.help);
    }
  }
  const std::vector<std::string> extra = app.remaining();
  for (const std::string& argument : extra) {
    const bool is_option = argument.size() > 1 && argument.front() == '-';
    if (!is_option && take_argument_) continue;
    return fail(Errc::not_found, is_option ? "unknown option " : "unexpected argument ", argument);
  }
  for (std::size_t i = 0; i < options_.size(); ++i) {
    const Option& option = options_[i];
    if (declared[i]->count() == 0) continue;
    std::vector<std::string> values = declared[i]->results();
    if (option.repeat == Repeat::refused && values.size() > 1) {
      return fail(Errc::invalid_argument, display_name(option.names), " is given more than once");
    }
    if (option.repeat != Repeat::collected) values = {values.empty() ? "" : values.back()};
    for (const std::string& value : values) {
      if (auto taken = option.take(value); !taken) {
        return taken.error().in(display_name(option.names));
      }
    }
  }
  for (const std::string& argument : extra) DS4_CHECK(take_argument_(argument));
  return {};
}

void OptionTable::append_options(std::string& out, Topic topic, bool colors) const {
  for (const Option& option : options_) {
    if (option.topic != topic || option.kind == Kind::unavailable) continue;
    std::string names = option.names;
    if (const std::size_t comma = names.find(','); comma != std::string::npos) {
      names.insert(comma + 1, " ");
    }
    if (option.kind == Kind::value) names += " " + option.value;
    if (option.kind == Kind::optional_value) names += "[=" + option.value + "]";
    const std::size_t width = names.size() + 2;
    if (colors) names = "\x1b[1m" + names + "\x1b[0m";
    out.append("  ").append(names);
    if (width >= kNameColumn) {
      out.append("\n      ");
    } else {
      out.append(kNameColumn - width, ' ');
    }
    out.append(option.help).append("\n");
  }
}

std::string OptionTable::topic_names() const {
  std::string names = "all, runtime, sampling, diagnostics";
  for (const TextTopic& text : texts_) names.append(", ").append(text.name);
  return names;
}

std::string OptionTable::help(std::string_view topic, bool colors) const {
  std::string out;
  for (const TextTopic& text : texts_) {
    if (text.name == topic) return text.text;
  }
  const auto known = std::find_if(kTopics.begin(), kTopics.end(),
                                  [&](const TopicName& entry) { return entry.name == topic; });
  if (!topic.empty() && topic != "all" && known == kTopics.end()) {
    out.append("There is no help topic '").append(topic).append("'.\n\n");
  }
  out.append(summary_).append("\n");
  for (const TopicName& entry : kTopics) {
    const bool shown = topic == "all" || entry.name == topic ||
                       (entry.topic == Topic::common && known == kTopics.end());
    if (!shown) continue;
    out.append("\n").append(entry.title).append(":\n");
    append_options(out, entry.topic, colors);
  }
  if (topic == "all") {
    for (const TextTopic& text : texts_) out.append("\n").append(text.text);
  }
  out.append("\nTopics of --help: ").append(topic_names()).append("\n");
  return out;
}

}  // namespace ds4::cli
