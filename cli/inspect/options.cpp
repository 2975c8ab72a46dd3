#include "inspect/options.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "common/expert_cache.hpp"

namespace ds4::inspect {
namespace {

using cli::Topic;

struct CommandName {
  std::string_view name;
  Command command;
  std::size_t files;
};
constexpr std::array<CommandName, 6> kCommands = {{
    {"dump", Command::dump, 1},
    {"check", Command::check, 1},
    {"hash", Command::hash, 1},
    {"diff", Command::diff, 2},
    {"plan", Command::plan, 1},
    {"tokens", Command::tokens, 1},
}};

const CommandName* find_command(std::string_view name) {
  const auto at = std::find_if(kCommands.begin(), kCommands.end(),
                               [name](const CommandName& entry) { return entry.name == name; });
  return at == kCommands.end() ? nullptr : &*at;
}

Result<void> only_for(bool given, const char* option, const InspectOptions& options,
                      std::initializer_list<Command> commands) {
  if (!given || std::find(commands.begin(), commands.end(), options.command) != commands.end()) {
    return {};
  }
  std::string names;
  for (const CommandName& entry : kCommands) {
    if (std::find(commands.begin(), commands.end(), entry.command) == commands.end()) continue;
    names.append(names.empty() ? "" : " and ").append(entry.name);
  }
  return fail(Errc::invalid_argument, option, " is for the command ", names);
}

Result<void> check_options(const InspectOptions& options) {
  if (options.only_metadata && options.only_tensors) {
    return fail(Errc::invalid_argument, "--metadata and --tensors cannot be used together");
  }
  DS4_CHECK(only_for(options.only_metadata, "--metadata", options, {Command::dump}));
  DS4_CHECK(only_for(options.only_tensors, "--tensors", options, {Command::dump, Command::hash}));
  DS4_CHECK(only_for(options.shows_all, "--full", options, {Command::dump}));
  DS4_CHECK(only_for(!options.filter.empty(), "--filter", options,
                     {Command::dump, Command::hash, Command::diff}));
  DS4_CHECK(only_for(options.reads_values, "--values", options, {Command::check}));
  DS4_CHECK(only_for(options.only_header, "--header", options, {Command::hash, Command::diff}));
  DS4_CHECK(only_for(options.sessions != 1, "--sessions", options, {Command::plan}));
  if (options.command == Command::hash && options.only_header && options.only_tensors) {
    return fail(Errc::invalid_argument, "--header and --tensors cannot be used together");
  }
  return {};
}

}  // namespace

cli::OptionTable make_option_table(InspectOptions& options, std::vector<std::string>& words) {
  cli::OptionTable table(
      "ds4-inspect",
      "usage: ds4-inspect [COMMAND] [FILE] [OPTIONS]\n"
      "Shows what is in a GGUF file. Without FILE it is the one of -m or DS4_MODEL.\n"
      "\n"
      "Commands:\n"
      "  dump FILE                   metadata and tensors (default)\n"
      "  check FILE                  every rule that a model file has to keep\n"
      "  hash FILE                   SHA-256 of the file, XXH3 of each tensor\n"
      "  diff FILE FILE              what differs; exit status 1 when anything does\n"
      "  plan FILE                   memory, KV by context, bytes read per token\n"
      "  tokens FILE [TEXT]          ids and bytes of a text (else of standard input)");
  table.arguments([&words](const std::string& word) -> Result<void> {
    words.push_back(word);
    return {};
  });
  cli::declare_runtime_options(table, options.runtime);
  cli::declare_plan_option(table, options.runtime);
  cli::declare_expert_option(table, options.runtime);
  table.flag("--json", Topic::common, "print JSON instead of text",
             [&options] { options.prints_json = true; });
  table.value("--filter", "GLOB", Topic::common,
              "only keys and tensors whose names match, for example 'blk.3.*'",
              cli::store_text(options.filter));
  table.flag("--metadata", Topic::common, "dump: metadata only",
             [&options] { options.only_metadata = true; });
  table.flag("--tensors", Topic::common, "dump: tensors only; hash: no hash of the whole file",
             [&options] { options.only_tensors = true; });
  table.flag("--full", Topic::common, "dump: whole arrays and strings, not only their beginnings",
             [&options] { options.shows_all = true; });
  table.flag("--values", Topic::common,
             "check: decode every tensor and look for values that are not finite",
             [&options] { options.reads_values = true; });
  table.flag("--header", Topic::common, "hash, diff: do not read the tensors' bytes",
             [&options] { options.only_header = true; });
  table.value("--sessions", "N", Topic::common, "plan: sessions that are open at once (default 1)",
              cli::store_integer(options.sessions, 1, 4096));
  return table;
}

Result<void> take_words(InspectOptions& options, const std::vector<std::string>& words,
                        const cli::Environment& environment) {
  const CommandName* command = words.empty() ? nullptr : find_command(words.front());
  if (command == nullptr && words.size() > 1) {
    return fail(Errc::invalid_argument, "there is no command ", words.front(),
                "; there are dump, check, hash, diff, plan and tokens");
  }
  std::vector<std::string> rest(words.begin() + (command != nullptr ? 1 : 0), words.end());
  if (command == nullptr) command = find_command(options.runtime.shows_plan ? "plan" : "dump");
  if (options.runtime.shows_plan && command->command != Command::plan) {
    return fail(Errc::invalid_argument, "--plan cannot be used together with ", command->name);
  }
  options.command = command->command;
  const std::size_t given = options.runtime.model.empty() ? 0 : 1;
  if (given == 1) options.files.push_back(options.runtime.model);
  while (options.files.size() < command->files && !rest.empty()) {
    options.files.push_back(rest.front());
    rest.erase(rest.begin());
  }
  if (options.files.empty() && command->files == 1) {
    options.files.push_back(cli::model_path(options.runtime, environment));
  }
  if (options.files.size() < command->files) {
    return fail(Errc::invalid_argument, command->name, " needs two files");
  }
  if (options.command == Command::tokens && !rest.empty()) {
    options.text = rest.front();
    rest.erase(rest.begin());
  }
  if (!rest.empty()) return fail(Errc::invalid_argument, "unexpected argument ", rest.front());
  return check_options(options);
}

}  // namespace ds4::inspect
