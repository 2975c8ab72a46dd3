#include "validate/isolate.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <regex>

#include "loader/search_options.hpp"
#include "tests/conformance/cases.hpp"
#include "validate/session.hpp"

extern char** environ;

namespace ds4::validate {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kQuickLimit{120};
constexpr std::chrono::seconds kFullLimit{3600};
#if defined(DS4_SANITIZED)
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif

/// The arguments without those that each child gets anew.
std::vector<std::string> common_arguments(const std::vector<std::string>& arguments) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--isolate") continue;
    if (arguments[i] == "--stage" || arguments[i] == "--op" || arguments[i] == "--json") {
      ++i;
      continue;
    }
    const bool is_joined = arguments[i].starts_with("--stage=") ||
                           arguments[i].starts_with("--op=") || arguments[i].starts_with("--json=");
    if (!is_joined) out.push_back(arguments[i]);
  }
  return out;
}

struct Child {
  pid_t pid = -1;
  int rows = -1;
};

Child start(std::vector<std::string> arguments) {
  Child child;
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return child;
  const std::string program = plugins::running_executable().string();
  constexpr int kRows = 3;
  arguments.insert(arguments.end(), {"--rows-fd", std::to_string(kRows)});
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  // A descriptor that is 3 already would keep its close-on-exec mark: by way of another number.
  posix_spawn_file_actions_adddup2(&actions, ends[1], 200);
  posix_spawn_file_actions_adddup2(&actions, 200, kRows);
  posix_spawn_file_actions_addclose(&actions, 200);
  if (::posix_spawn(&child.pid, program.c_str(), &actions, nullptr, argv.data(), environ) != 0) {
    child.pid = -1;
  }
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  child.rows = ends[0];
  return child;
}

/// Reads until the child closes its end; false when the time is over.
bool read_rows(const Child& child, Clock::time_point end, std::string& text) {
  char buffer[4096];
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    pollfd wait{child.rows, POLLIN, 0};
    if (left <= 0 || ::poll(&wait, 1, static_cast<int>(left)) <= 0) return false;
    const ssize_t got = ::read(child.rows, buffer, sizeof(buffer));
    if (got <= 0) return true;
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

/// What a child runs, in one process.
std::string repeat_command(const Settings& settings, std::string_view stage,
                           const std::string& op) {
  std::string text = base_command(settings) + " --stage ";
  text += stage;
  const std::string& ops = op.empty() ? settings.op : op;
  if (ops != Settings().op) text += " --op " + shell_word(ops);
  if (settings.case_number) text += " --case " + std::to_string(*settings.case_number);
  return text + case_options(settings);
}

void run_child(const Settings& settings, std::vector<std::string> arguments, std::string_view stage,
               const std::string& op, Report& report) {
  arguments.insert(arguments.end(), {"--stage", std::string(stage)});
  if (!op.empty()) arguments.insert(arguments.end(), {"--op", op});
  const Child child = start(arguments);
  Row row;
  row.stage = stage;
  row.subject = op.empty() ? std::string(stage) : op;
  row.state = State::fail;
  row.reproduce = repeat_command(settings, stage, op);
  if (child.pid < 0) {
    row.detail = "the child cannot be started";
    report.add(std::move(row));
    return;
  }
  // Drawn cases may be many, and a build with a sanitizer is slow.
  const bool is_long =
      settings.grid != conformance::Grid::quick || settings.fuzz != 0 || kIsSanitized;
  const auto limit = is_long ? kFullLimit : kQuickLimit;
  std::string text;
  const bool in_time = read_rows(child, Clock::now() + limit, text);
  if (!in_time) ::kill(child.pid, SIGKILL);
  int status = 0;
  (void)::waitpid(child.pid, &status, 0);
  ::close(child.rows);
  std::size_t begin = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    Row from_child;
    if (row_from_line(std::string_view(text).substr(begin, end - begin), from_child)) {
      report.add(std::move(from_child));
    }
    begin = end + 1;
  }
  if (!in_time) {
    row.detail = "ran beyond " + std::to_string(limit.count()) + " s";
  } else if (WIFSIGNALED(status)) {
    row.detail = std::string("killed by signal ") + ::strsignal(WTERMSIG(status));
  } else if (WEXITSTATUS(status) > 1 || !text.ends_with(kRowsEnd)) {
    row.detail = "the child ended with status " + std::to_string(WEXITSTATUS(status)) +
                 (text.ends_with(kRowsEnd) ? "" : " before it was done");
  } else {
    return;
  }
  report.add(std::move(row));
}

}  // namespace

void run_isolated(const Settings& settings, const std::vector<std::string>& arguments,
                  Report& report) {
  const std::vector<std::string> common = common_arguments(arguments);
  const std::regex wanted(settings.op);
  for (const Stage& stage : stages()) {
    const bool is_wanted = settings.stages.empty() ||
                           std::find(settings.stages.begin(), settings.stages.end(), stage.name) !=
                               settings.stages.end();
    if (!is_wanted) continue;
    report.begin_stage(stage.name, stage.says);
    if (!stage.is_by_op) {
      std::vector<std::string> for_all = common;
      for_all.insert(for_all.end(), {"--op", settings.op});
      run_child(settings, for_all, stage.name, "", report);
      continue;
    }
    for (const conformance::OpCases& cases : conformance::all_cases()) {
      if (!std::regex_match(std::string(cases.op), wanted)) continue;
      run_child(settings, common, stage.name, std::string(cases.op), report);
    }
  }
}

}  // namespace ds4::validate
